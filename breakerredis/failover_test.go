package breakerredis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakerredis"
)

// What Redis can't promise: a trip that was acknowledged is lost if its primary dies before a
// replica has it. What the replica has isn't, and the watches go on with the replica.
func TestFailover(t *testing.T) {
	address := func() string { return fmt.Sprint("127.0.0.1:", clustertest.FreePort()) }
	ctx, first, second := context.Background(), address(), address()
	primary := serve(t, first, t.TempDir())
	up(t, connect(t, first, ""))
	link := clustertest.NewProxy(t, first) // what the replica hears of the primary
	var port string
	if _, err := fmt.Sscanf(link.Addr(), "127.0.0.1:%s", &port); err != nil {
		t.Fatal(err)
	}

	serve(t, second, t.TempDir(), "--replicaof", "127.0.0.1 "+port)
	replica := connect(t, second, "")
	up(t, replica)

	p := clustertest.NewProxy(t, first)
	open := func() *breakercluster.Bucket {
		b, err := breakercluster.Open(breakerredis.New(connect(t, p.Addr(), ""), "jobs"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	far, near := open(), open()
	breakBy := func(b *breakercluster.Bucket, key string) *breaker.Breaker {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		br, err := b.BreakByKey(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			br.Close()
			clustertest.Await(t, func() bool { return b.Contact().Watches == 0 || b.Contact().Breakers > 0 }, "the end")
		})
		return br
	}
	trip := func(key, text string) breakercluster.TripError {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		cause, won, err := near.Trip(ctx, key, errors.New(text))
		if err != nil || !won {
			t.Fatal(cause, won, err)
		}
		return cause
	}
	kept, lost, later := breakBy(far, "kept"), breakBy(far, "lost"), breakBy(far, "later")
	known := trip("kept", "replicated")
	clustertest.Await(t, func() bool {
		return replica.Exists(ctx, "breaker:{jobs}:key:kept").Val() == 1
	}, "the replica")
	link.Freeze()
	unknown := trip("lost", "not replicated")
	<-lost.Done()

	primary.Kill()
	if err := replica.Do(ctx, "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	p.Redirect(second)
	p.Sever()
	p.Heal()

	again := breakBy(near, "kept")
	if again.Cause() != error(known) || kept.Cause() != error(known) {
		t.Fatal("what the replica had is lost:", again.Cause(), kept.Cause())
	}
	if late := breakBy(near, "lost"); late.Err() != nil {
		t.Fatal("the replica can't have it:", late.Cause())
	}
	if cause := trip("lost", "a second winner"); cause.Revision <= unknown.Revision {
		t.Fatal("revisions don't rise:", cause.Revision, unknown.Revision)
	}
	if lost.Cause() != error(unknown) {
		t.Fatal("a breaker has changed its cause:", lost.Cause())
	}
	cause := trip("later", "after the failover")
	<-later.Done()
	if later.Cause() != error(cause) {
		t.Fatal(later.Cause())
	}
}
