//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package breakit

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kamilsk/breaker/breakerexec"
)

// control is between the terminal, or other senders of signals, and the command.
type control struct {
	arrivals chan os.Signal
	process  *breakerexec.Process
	// tty is nil if there is none, or if it is none of our business.
	tty *terminal
	// eager says that the command gets the terminal without having asked for it.
	eager bool
	// had says that the command had the terminal when it ended.
	had bool
}

// newControl catches signals from now on, so that none is lost while the command starts.
func newControl() *control {
	c := &control{arrivals: make(chan os.Signal, 64)}
	// What breakit was told to ignore, as by nohup, the command ignores, too, if we don't catch it.
	for _, sig := range []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGCONT,
	} {
		if !signal.Ignored(sig) {
			signal.Notify(c.arrivals, sig)
		}
	}
	// Caught, because ignoring it would be inherited. A write then fails, and the command is the
	// one to end by it.
	signal.Notify(c.arrivals, syscall.SIGPIPE, syscall.SIGCHLD)
	// A script without job control starts a background job with SIGINT ignored, in the script's own
	// group. Taking the terminal there would take it from the script.
	if !signal.Ignored(syscall.SIGINT) && !signal.Ignored(syscall.SIGTSTP) {
		c.tty = openTerminal()
	}
	// The reader of a pipe, such as a pager, may need the terminal itself.
	c.eager = c.tty != nil && isTerminal(os.Stdin) && !isPipe(os.Stdout)
	return c
}

// begin is called when the command has started. No other process is started after it, so none
// inherits what is ignored now.
func (c *control) begin(process *breakerexec.Process) {
	c.process = process
	if c.tty == nil {
		return
	}
	// Giving and taking the terminal from the background stops a process that doesn't ignore this.
	signal.Ignore(syscall.SIGTTOU)
	if c.eager {
		// The command may have asked already, and been stopped. Then a SIGCHLD has arrived, and is
		// seen to next.
		c.lend()
	}
}

// until passes signals on until the command has ended.
func (c *control) until(ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-c.arrivals:
			c.handle(sig)
		}
	}
}

func (c *control) handle(sig os.Signal) {
	switch sig {
	case syscall.SIGPIPE:
	case syscall.SIGCHLD:
		if c.tty == nil {
			return // without job control, to be stopped is the command's own affair
		}
		if by, ok := stoppedBy(c.process.Pid()); ok {
			c.stopped(by)
		}
	case syscall.SIGCONT:
		c.resume()
	case syscall.SIGTSTP:
		_ = c.process.Signal(sig)
		if c.tty == nil {
			return
		}
		// A command that has just been stopped for asking for the terminal doesn't get it first:
		// with that would go the Ctrl-Z.
		if _, ok := stoppedBy(c.process.Pid()); ok {
			c.suspend(syscall.SIGTSTP)
		}
	default:
		_ = c.process.Signal(sig)
	}
}

// lend gives the terminal to the command, if it is ours to give.
func (c *control) lend() bool { return c.tty.lend(c.process.Pid()) }

// resume continues the command, in the foreground if we are there.
func (c *control) resume() {
	if c.tty != nil && c.eager {
		c.lend()
	}
	_ = c.process.Signal(syscall.SIGCONT)
}

// stopped is called when the command has stopped. If it wants the terminal and we have it, the
// command gets it. Otherwise the whole job stops. A Ctrl-Z in the moment between the two steps of
// handing the terminal over is lost: SIGCONT discards it.
func (c *control) stopped(by syscall.Signal) {
	if (by == syscall.SIGTTIN || by == syscall.SIGTTOU) && (c.tty.has(c.process.Pid()) || c.lend()) {
		_ = c.process.Signal(syscall.SIGCONT)
		return
	}
	if by != syscall.SIGTTIN {
		by = syscall.SIGTSTP
	}
	c.suspend(by)
}

// suspend stops the whole job, and returns when it is continued.
func (c *control) suspend(by syscall.Signal) {
	c.tty.takeBack(false)
	restore := defaultAction(by)
	// Our group is the shell's job: the other members of a pipeline, or the script that has started
	// us.
	_ = syscall.Kill(0, by)
	if restore == nil {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
		restore = func() {}
	}
	// Here we are stopped. In a group that no shell looks after the system discards the signal;
	// then nothing would ever continue us.
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case sig := <-c.arrivals:
			switch sig {
			case syscall.SIGCONT:
				waiting = false
			case syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGTSTP:
			default:
				_ = c.process.Signal(sig)
			}
		case <-timer.C:
			waiting = false
		}
	}
	restore()
	c.resume()
}

// end takes the terminal back. A command that was ended may have left it in any mode.
func (c *control) end(err error) {
	if c.tty == nil {
		return
	}
	var exit *exec.ExitError
	var stopped *breakerexec.Error
	c.had = c.tty.lent
	c.tty.takeBack(errors.As(err, &stopped) || errors.As(err, &exit) && endedBy(exit) != nil)
}

// follow returns the exit code for a command that the signal has ended. It doesn't return if the
// signal ends us, too.
//
// A shell script stops at Ctrl-C only if the command that it waits for has ended by it. If the
// command had the terminal, the script hasn't even heard of it.
func (c *control) follow(sig os.Signal) int {
	number := sig.(syscall.Signal)
	group := syscall.Getpid()
	if c.had {
		group = 0
	}
	switch number {
	case syscall.SIGINT:
		signal.Reset(sig)
		_ = syscall.Kill(group, number)
		time.Sleep(100 * time.Millisecond) // it comes at once
	case syscall.SIGQUIT:
		// Ours would print the stacks of breakit.
		if group == 0 {
			signal.Ignore(sig)
			_ = syscall.Kill(group, number)
		}
	}
	return exitSignal + int(number)
}

// endedBy returns the signal that has ended the command, or nil.
func endedBy(exit *exec.ExitError) os.Signal {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return nil
}

// byShell returns the command that runs a script without a #! line, as a shell and execvp do, or
// nil if that isn't it.
func byShell(command []string, err error) []string {
	if !errors.Is(err, syscall.ENOEXEC) {
		return nil
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil
	}
	return append([]string{"/bin/sh", path}, command[1:]...)
}

// inPath reports whether there is such a file, which then can't be executed.
func inPath(name string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0
}

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
