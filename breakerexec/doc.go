// Package breakerexec runs commands that a breaker can stop, together with everything they have
// started.
//
// Run is exec.Cmd.Run with a breaker and a grace period:
//
//	br := breaker.BreakByTimeout(time.Minute)
//	defer br.Close()
//
//	err := breakerexec.Run(br, exec.Command("make", "all"), 10*time.Second)
//	switch stopped := (*breakerexec.Error)(nil); {
//	case errors.As(err, &stopped):
//		log.Printf("make was stopped: %v", stopped.Cause)
//	case err != nil:
//		log.Printf("make failed: %v", err)
//	}
//
// Start returns at once, so that you can do something else or send signals:
//
//	process, err := breakerexec.Start(br, cmd, 10*time.Second)
//	if err != nil {
//		return err
//	}
//	process.Signal(syscall.SIGHUP) // to the whole group
//	return process.Wait()
//
// # What a trip does
//
// The command runs in a process group of its own. When the breaker trips, the group gets SIGTERM,
// and SIGCONT in case it is stopped. Members that are left after the grace period get SIGKILL. Wait
// returns as soon as the last member has ended, or right after the SIGKILL. A process that has left
// the group (setsid, setpgid) is not reached.
//
// Such a process may hold a pipe of Stdout or Stderr. Then Wait reads on while output keeps coming
// within 100 milliseconds, or within WaitDelay if you have set it. It reads 1 MiB at most, and then
// closes the pipe.
//
// Without a trip, Run and Wait do what os/exec does: they wait for the command and for its pipes. A
// process that the command has left behind keeps running. While it holds a pipe, Wait still waits,
// so a trip reaches it.
//
// # Process IDs
//
// No process ID is signalled after the process has been reaped. So no signal can hit an unrelated
// process that has got the same ID. Wait first waits for the command without reaping it, which
// reserves the ID for the group. It reaps the command last.
//
// # What it costs
//
// A process needs no goroutine besides those that os/exec would start as well: one for each of
// Stdin, Stdout and Stderr that is neither nil nor an *os.File. If the command ends within the
// grace period after a trip, Wait on Linux looks through /proc to see whether the group is empty.
// That takes some 20 µs for each process on the machine.
//
// # Systems
//
// All of this holds on Linux, where it is tested. On darwin and the BSDs the package uses kqueue
// for the same; our checks compile that for darwin and FreeBSD, and run none of it. On other
// systems only the command itself is signalled, not what it has started, and nothing is signalled
// once it has ended. Windows has no SIGTERM: the command is killed at once, without a grace period.
// On these other systems Wait doesn't wait for what the command has started; it reads from pipes as
// above.
//
// # Concurrency
//
// Run and Start may be called concurrently, each with a command of its own. All methods of a
// Process may be called concurrently. Leave the *exec.Cmd alone until Wait has returned.
package breakerexec
