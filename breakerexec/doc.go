// Package breakerexec runs commands that a breaker can stop, with everything they have started.
//
// Run is exec.Cmd.Run with a breaker and a grace:
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
// and SIGCONT in case it is stopped. Members that are left after the grace get SIGKILL. Wait
// returns as soon as the last member has ended, or right after the SIGKILL. A process that has left
// the group (setsid, setpgid) is not reached.
//
// If a process that isn't reached holds a pipe of Stdout or Stderr, Wait reads on for as long as
// output keeps coming within 100 milliseconds, or WaitDelay if that is set, and for 1 MiB at most.
// Then it closes the pipe.
//
// Without a trip, Run and Wait do what os/exec does: they wait for the command and for its pipes. A
// process that the command has left behind keeps running. If it holds a pipe, a trip still reaches
// it.
//
// # Process IDs
//
// No process ID is signalled after it has been reaped, so no signal can hit a stranger that has got
// the same number. Wait first waits for the command without reaping it, which reserves the number
// for the group, and reaps it last.
//
// # What it costs
//
// A process needs no goroutine besides those that os/exec would start as well: one for each of
// Stdin, Stdout and Stderr that is neither nil nor an *os.File. After a trip, and only if the
// command ends before the grace is over, Linux needs a look at each process in /proc to see whether
// the group is empty: some 20 µs for each process of the machine.
//
// # Systems
//
// All of this holds on Linux, where it is tested. On darwin and the BSDs the same is done with
// kqueue; it is compiled in our tests, and not run. On other systems only the command itself is
// signalled, not what it has started, and once it has ended nothing is. Windows knows no SIGTERM:
// the command is killed at once, without a grace. On all of them Wait doesn't wait for pipes after
// a trip.
//
// # Concurrency
//
// Run and Start may be called concurrently, each with a command of its own. All methods of a
// Process may be called concurrently. A *exec.Cmd belongs to the one call that it was given to
// until Wait has returned.
package breakerexec
