package breakerexec

import (
	"os"
	"os/exec"
	"reflect"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
)

// Run starts the command and waits until it has ended, or the breaker has stopped it. It is Start
// and Wait in one. See Start for the arguments.
//
// Without a trip it returns what exec.Cmd.Run would: nil, an *exec.ExitError, or the error that
// kept the command from starting. If the breaker has stopped the command, it returns an *Error that
// matches the breaker's cause and the *exec.ExitError. That holds even if the command has exited
// with code 0, because it may not have finished its work.
func Run(br breaker.Interface, cmd *exec.Cmd, grace time.Duration) error {
	check("Run", br, cmd, grace)
	p, err := start(br, cmd, grace)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Start starts the command and returns without waiting for it. You must call Wait, which releases
// what the process holds.
//
// If the breaker has already tripped, Start doesn't start the command, and returns an *Error with
// the cause. Any other error is that of exec.Cmd.Start. After an error the command can't be used
// again, and pipes made for it are closed. Start never closes the breaker: close it after Wait.
//
// The grace period is the time between SIGTERM and SIGKILL. With zero, a trip sends SIGKILL at
// once.
//
// What you have set in the command keeps working:
//
//   - SysProcAttr: Start runs the command with a copy that has Setpgid. With Setsid the new
//     session's group is used. With Setpgid and a Pgid other than 0 the group isn't the command's
//     own, so only the command itself is signalled.
//   - The context of exec.CommandContext, and Cancel: they act on the command as usual, besides the
//     breaker.
//   - WaitDelay: as in os/exec, it bounds the wait for pipes after the command's end. After a trip
//     it replaces the 100 milliseconds of the package's documentation.
//   - StdoutPipe and the like: Wait closes them, so read them to the end first. A read from such a
//     pipe may outlive a trip if a process outside the group holds it; set Stdout to a writer
//     instead.
//   - Stdin with a reader that isn't an *os.File: a Read that blocks can't be interrupted. After a
//     trip Wait doesn't wait for it; the goroutine ends when that Read returns. Wait does wait for
//     Stdout and Stderr, so nothing writes to your writers after it has returned.
//
// Start panics if br or cmd is nil, or if grace is negative.
func Start(br breaker.Interface, cmd *exec.Cmd, grace time.Duration) (*Process, error) {
	check("Start", br, cmd, grace)
	return start(br, cmd, grace)
}

func check(function string, br breaker.Interface, cmd *exec.Cmd, grace time.Duration) {
	if br == nil || reflect.ValueOf(br).Kind() == reflect.Pointer && reflect.ValueOf(br).IsNil() {
		panic("breakerexec: " + function + ": the breaker is nil")
	}
	if cmd == nil {
		panic("breakerexec: " + function + ": the command is nil")
	}
	if grace < 0 {
		panic("breakerexec: " + function + ": the grace is negative")
	}
}

func start(br breaker.Interface, cmd *exec.Cmd, grace time.Duration) (*Process, error) {
	if br.Err() != nil {
		stopped := &Error{Cause: br.Cause()}
		abandon(cmd, stopped)
		return nil, stopped
	}
	p := &Process{br: br, cmd: cmd, grace: grace, interrupted: make(chan struct{}), killed: make(chan struct{})}
	if err := p.launch(); err != nil {
		return nil, err
	}
	// If the breaker has tripped meanwhile, this calls interrupt at once.
	p.stop = br.OnTrip(p.interrupt)
	return p, nil
}

// abandon closes the pipes that StdoutPipe and the like have made. os/exec does that only if its
// own Start fails.
func abandon(cmd *exec.Cmd, reason error) {
	defer func(err error) { cmd.Err = err }(cmd.Err)
	cmd.Err = reason
	_ = cmd.Start()
}

// launch starts the command with our own streams and attributes. On return, the caller's fields
// are as before.
func (p *Process) launch() error {
	stdin, stdout, stderr, attributes := p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr
	defer func() {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = stdin, stdout, stderr, attributes
	}()
	if err := p.streams.connect(p.cmd); err != nil {
		abandon(p.cmd, err)
		return err
	}
	p.cmd.SysProcAttr, p.group = ownGroup(attributes)
	if err := p.cmd.Start(); err != nil {
		p.streams.close()
		return err
	}
	p.streams.start()
	return nil
}

// A Process is a command that Start has started.
type Process struct {
	br      breaker.Interface
	cmd     *exec.Cmd
	grace   time.Duration
	streams streams
	stop    func() bool

	// interrupted is closed by the trip, killed by the SIGKILL after it, both with mu held.
	interrupted, killed chan struct{}

	// mu makes a signal and the reaping exclude each other. It is only held for system calls that
	// don't block, because a callback of the breaker takes it.
	mu sync.Mutex
	// gone says that the process may have been reaped, so its ID may belong to another process.
	gone bool
	// group says that the process leads a group of its own.
	group bool
	// alarm runs from SIGTERM to SIGKILL.
	alarm *time.Timer

	once sync.Once
	err  error
}

// Pid returns the process ID of the command, which is the ID of its process group as well.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process group, or to the command alone where Start says so. Once
// Wait has returned, and possibly a moment earlier, it sends nothing and returns os.ErrProcessDone.
// It never blocks.
func (p *Process) Signal(sig os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return os.ErrProcessDone
	}
	return p.send(sig)
}

// Wait waits until the command has ended, or the breaker has stopped it, and releases everything.
//
// It returns what Run returns. You may call it more than once, and concurrently: each call returns
// the same error.
func (p *Process) Wait() error {
	p.once.Do(func() { p.err = p.wait() })
	return p.err
}

// interrupt is the breaker's callback. It must not block.
func (p *Process) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	close(p.interrupted)
	if p.grace == 0 || !p.terminate() {
		p.kill()
		return
	}
	p.alarm = time.AfterFunc(p.grace, p.expire)
}

// expire ends the grace period, on the timer's goroutine.
func (p *Process) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		p.kill()
	}
}

func (p *Process) kill() {
	_ = p.send(os.Kill)
	close(p.killed)
}

func (p *Process) wait() error {
	reap := p.cmd.Wait
	if !p.awaitExit() {
		// The end can't be seen without reaping. From here on package os guards the signals, and
		// they reach the command alone.
		p.mu.Lock()
		p.group = false
		p.mu.Unlock()
		err := p.cmd.Wait()
		reap = func() error { return err }
	}
	late := !p.streams.await(p.cmd.WaitDelay, p.interrupted)
	stopped := !p.leave()
	if stopped {
		p.awaitGroup()
		p.streams.drain(p.cmd.WaitDelay)
		p.mu.Lock()
		p.gone = true
		p.mu.Unlock()
		if p.alarm != nil { // written before interrupted was closed for us by mu
			p.alarm.Stop()
		}
	} else {
		p.stop()
		p.streams.close()
	}

	exit := reap()
	switch err := p.streams.failure(); {
	case exit != nil:
	case err != nil:
		exit = err
	case late && !stopped:
		exit = exec.ErrWaitDelay
	}
	if stopped {
		return &Error{Cause: p.br.Cause(), Exit: exit, started: true}
	}
	return exit
}

// leave keeps later trips from signalling, and returns true, unless a trip has come before.
func (p *Process) leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.interrupted:
		return false
	default:
		p.gone = true
		return true
	}
}

// awaitGroup waits until no member of the group is left, or SIGKILL has been sent. The system
// reports the end of our own children only, so awaitGroup polls, less and less often.
func (p *Process) awaitGroup() {
	const longest = 100 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		select {
		case <-p.killed:
			return
		default:
		}
		if !p.anyAlive() {
			return
		}
		select {
		case <-p.killed:
			return
		case <-time.After(pause):
		}
	}
}
