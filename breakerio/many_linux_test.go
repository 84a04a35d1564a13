package breakerio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
	"github.com/kamilsk/breaker/internal/testkit"
	"github.com/kamilsk/breaker/internal/testkit/mode"
)

const many = 10_000

// peer is a process that accepts connections and says nothing: in one process, both ends of so many
// would take too many descriptors.
func init() {
	children["peer"] = func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(l.Addr())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		kept := make(map[net.Conn]bool) // or they would be collected, and closed
		for {
			c, err := l.Accept()
			if err != nil {
				fmt.Println(err, len(kept))
				return
			}
			kept[c] = true
		}
	}
}

// dialMany returns many real connections to a silent peer.
func dialMany(t testing.TB, n int) []net.Conn {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(binary)
	child.Env = append(os.Environ(), asChild+"=peer")
	stdin, err := child.StdinPipe()
	require.NoError(t, err)
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	address, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	conns := make([]net.Conn, n)
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				_ = c.(*net.TCPConn).SetLinger(0) // no TIME_WAIT: the next run needs the ports
				_ = c.Close()
			}
		}
		_ = stdin.Close()
		_ = child.Wait()
	})
	for i := range conns {
		conns[i], err = net.Dial("tcp", strings.TrimSpace(address))
		require.NoError(t, err)
	}
	return conns
}

// way is one way to have reads end with a signal.
type way struct {
	name string
	// bind arranges it for all connections, and returns what to read from, what trips, and what
	// takes the arrangement back.
	bind func(conns []net.Conn) (bound []net.Conn, trip, undo func())
	// goroutines is how many it takes while all wait, for each connection.
	goroutines int
}

var ways = []way{
	{"breakerio.Conn", func(conns []net.Conn) ([]net.Conn, func(), func()) {
		br := breaker.New()
		bound := make([]net.Conn, len(conns))
		for i, c := range conns {
			bound[i] = breakerio.Conn(br, c)
		}
		return bound, func() { br.Trip(errWhy) }, func() {
			for _, c := range bound {
				_, _ = breakerio.Release(c)
			}
		}
	}, 0},
	{"context.AfterFunc", func(conns []net.Conn) ([]net.Conn, func(), func()) {
		ctx, cancel := context.WithCancelCause(context.Background())
		for _, c := range conns {
			context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		}
		return conns, func() { cancel(errWhy) }, func() {}
	}, 0},
	{"a goroutine each", func(conns []net.Conn) ([]net.Conn, func(), func()) {
		ctx, cancel := context.WithCancelCause(context.Background())
		var wg sync.WaitGroup
		for _, c := range conns {
			wg.Go(func() {
				<-ctx.Done()
				_ = c.SetDeadline(time.Unix(1, 0))
			})
		}
		return conns, func() { cancel(errWhy) }, wg.Wait
	}, 1},
}

// interruptMany has all connections read, and returns how long it takes from the trip until all
// reads have ended, and how many goroutines there were besides the readers while all were blocked.
func interruptMany(t testing.TB, w way, conns []net.Conn) (took time.Duration, extra int) {
	for _, c := range conns {
		require.NoError(t, c.SetDeadline(time.Time{}))
	}
	before := testkit.AllGoroutines()
	bound, trip, undo := w.bind(conns)
	var readers sync.WaitGroup
	var begun atomic.Int64
	failed := make(chan error, len(bound))
	for _, c := range bound {
		readers.Go(func() {
			begun.Add(1)
			if _, err := c.Read(make([]byte, 1)); err == nil {
				failed <- fmt.Errorf("something was read")
			}
		})
	}
	// The profile of so many takes long, above all with the race detector.
	all := int64(len(bound))
	awaitThat(t, func() bool { return begun.Load() == all && blockedReads() == len(bound) }, "all reads to block")
	testkit.AwaitAtMost(t, before+len(bound)+w.goroutines*len(bound))
	extra = testkit.AllGoroutines() - before - len(bound)
	begin := time.Now()
	trip()
	readers.Wait()
	took = time.Since(begin)
	require.Empty(t, failed)
	undo()
	awaitThat(t, func() bool { return testkit.AllGoroutines() <= before }, "the end of all goroutines")
	return took, extra
}

// One trip ends 10,000 blocked reads of real connections. Run it with -v for the table.
func TestConn_Many(t *testing.T) {
	conns := dialMany(t, many)
	table := fmt.Sprintf("%-20s %12s %22s\n", "10,000 blocked reads", "all ended in", "goroutines of the way's")
	rounds := 3
	if mode.Race { // whose times say nothing
		rounds = 1
	}
	for _, w := range ways {
		best, extra := time.Hour, 0
		for range rounds {
			var took time.Duration
			took, extra = interruptMany(t, w, conns)
			best = min(best, took)
		}
		// Goroutines of earlier tests may have ended meanwhile.
		assert.Greater(t, extra, w.goroutines*many-100, w.name)
		table += fmt.Sprintf("%-20s %12s %22d\n", w.name, best.Round(100*time.Microsecond), extra)
	}
	t.Log("\n" + table)
}

func BenchmarkConn_Many(b *testing.B) {
	conns := dialMany(b, many)
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			var all time.Duration
			for b.Loop() {
				took, _ := interruptMany(b, w, conns)
				all += took
			}
			b.ReportMetric(float64(all.Microseconds())/1000/float64(b.N), "ms/trip")
		})
	}
}

// blockedReads returns how many readers wait for I/O. The profile counts equal stacks, so it is
// quick to read.
func blockedReads() (n int) {
	for _, stack := range strings.Split(profile(), "\n\n") {
		if strings.Contains(stack, "runtime_pollWait") && strings.Contains(stack, "interruptMany") {
			var count int
			_, _ = fmt.Sscanf(stack[strings.LastIndex(stack[:strings.Index(stack, " @ ")], "\n")+1:], "%d @", &count)
			n += count
		}
	}
	return n
}

func profile() string {
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1) // a Builder takes everything
	return text.String()
}
