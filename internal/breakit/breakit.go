package breakit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerexec"
)

// ExitFailed is the exit code if breakit itself has failed.
const ExitFailed = 125

// The other exit codes.
const (
	exitLimit     = 124
	exitCannotRun = 126
	exitNotFound  = 127
	exitSignal    = 128
)

// Main runs a command line and returns the exit code. Call it from main.main, on the main
// goroutine: Linux kills the command when the thread ends that has started it.
func Main(args []string, more Extension) int {
	usage := more.usage()
	switch {
	case len(args) == 0:
		fmt.Fprint(os.Stderr, usage)
		return ExitFailed
	case args[0] == "-h" || args[0] == "--help" || args[0] == "help":
		fmt.Print(usage)
		return 0
	case args[0] == "ps":
		if err := ps(os.Stdout, time.Now()); err != nil {
			Complain("ps: %v", err)
			return ExitFailed
		}
		return 0
	}
	if command := more.Commands[args[0]]; command != nil {
		return command(args[1:])
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "-h" || arg == "--help" {
			fmt.Print(usage)
			return 0
		}
	}
	p, err := parse(args, time.Now(), more.Options)
	if err == nil && more.Check != nil {
		err = more.Check()
	}
	if err != nil {
		return Misused(err)
	}
	var sources []breaker.Interface
	if more.Begin != nil {
		var end func()
		if sources, end, err = more.Begin(); err != nil {
			Complain("%s was not started: %v", p.command[0], err)
			return ExitFailed
		}
		defer end()
	}
	return p.run(sources)
}

// Misused complains about the command line, and returns the exit code for that.
func Misused(err error) int {
	Complain("%v\nTry breakit -h.", err)
	return ExitFailed
}

// Complain says on standard error what is wrong.
func Complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "breakit: "+format+"\n", args...)
}

// run runs the command and returns the exit code. It closes the other sources, too.
func (p plan) run(others []breaker.Interface) int {
	control := newControl()
	br, idle := p.start(others)
	defer br.Close()
	seen := &activity{idle: idle}
	started := time.Now()

	process, err := p.launch(br, p.command, seen)
	if command := byShell(p.command, err); command != nil {
		process, err = p.launch(br, command, seen)
	}
	if err != nil {
		return p.notStarted(err)
	}
	control.begin(process)
	file, err := register(entry{
		Pid: process.Pid(), Command: p.command, Limit: p.limit, Since: started,
		Until: earliest(p.until, p.after, started), Idle: p.idle,
	})
	if err != nil {
		Complain("ps will not list this: %v", err)
	} else {
		defer file.remove()
		seen.file.Store(file)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	err = control.until(ended)
	control.end(err)
	if file != nil {
		file.remove() // before a signal ends us
	}
	return p.ended(err, control)
}

// launch starts the command. Only with an idle limit does its output go through us.
func (p plan) launch(br breaker.Interface, command []string, seen *activity) (*breakerexec.Process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.SysProcAttr = attributes()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if p.idle > 0 {
		out, err := &watched{os.Stdout, seen}, &watched{os.Stderr, seen}
		if sameFile(os.Stdout, os.Stderr) {
			err = out // one pipe for both keeps the order
		}
		cmd.Stdout, cmd.Stderr = out, err
		cmd.WaitDelay = time.Second // a process that the command leaves behind isn't waited for
	}
	return breakerexec.Start(br, cmd, p.grace)
}

// activity hears of each output.
type activity struct {
	idle *breaker.Idle
	file atomic.Pointer[file]
	// noted is when the file was told, so that it isn't each time.
	noted atomic.Int64
}

func (a *activity) note() {
	a.idle.Touch()
	now, before := time.Now().UnixNano(), a.noted.Load()
	if f := a.file.Load(); f != nil && now-before > int64(time.Second) && a.noted.CompareAndSwap(before, now) {
		f.touch()
	}
}

// watched is an output that is noted.
type watched struct {
	io.Writer
	seen *activity
}

func (w *watched) Write(p []byte) (int, error) {
	w.seen.note()
	return w.Writer.Write(p)
}

func sameFile(a, b *os.File) bool {
	s, err1 := a.Stat()
	t, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(s, t)
}

func earliest(until time.Time, after time.Duration, from time.Time) time.Time {
	if after > 0 && (until.IsZero() || from.Add(after).Before(until)) {
		return from.Add(after)
	}
	return until
}

func (p plan) notStarted(err error) int {
	var stopped *breakerexec.Error
	switch {
	case errors.As(err, &stopped):
		Complain("%s was not started: %v", p.command[0], stopped.Cause)
		return exitLimit
	case errors.Is(err, exec.ErrNotFound) && inPath(p.command[0]):
		Complain("%s: permission denied", p.command[0])
		return exitCannotRun
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		Complain("%s: not found", p.command[0])
		return exitNotFound
	default:
		Complain("%v", err)
		return exitCannotRun
	}
}

// ended says how the command has ended, and returns the exit code.
func (p plan) ended(err error, control *control) int {
	var exit *exec.ExitError
	errors.As(err, &exit)
	if stopped := (*breakerexec.Error)(nil); errors.As(err, &stopped) {
		if exit != nil && p.grace > 0 && endedBy(exit) == os.Kill {
			Complain("killed %s: %v, and it didn't end within %s", p.command[0], stopped.Cause, short(p.grace))
		} else {
			Complain("stopped %s: %v", p.command[0], stopped.Cause)
		}
		return exitLimit
	}
	switch {
	case exit != nil:
		if sig := endedBy(exit); sig != nil {
			return control.follow(sig)
		}
		return exit.ExitCode()
	case err == nil || errors.Is(err, exec.ErrWaitDelay) || isBrokenPipe(err):
		return 0
	default:
		Complain("%v", err)
		return ExitFailed
	}
}
