// Command breakit runs another command and stops it when a limit is reached.
//
//	breakit after 10m -- server run --port=8080
//	breakit until 18:00 -- server run --port=8080
//	breakit idle 30s -- server run --port=8080
//	breakit after 1h idle 30s --grace 5s -- make all
//	breakit ps
//
// The command runs in a process group of its own. At the limit the whole group gets SIGTERM, and
// SIGKILL after the grace, 10 seconds by default. breakit reports the reason on standard error.
//
// The breakit in breakercluster/cmd/breakit has all of this, and ends a command on every machine
// when a key of a cluster is set.
//
// # Exit codes
//
// They are those of timeout(1), except that the limit is 124 even if SIGKILL was needed:
//
//	124    a limit was reached
//	125    breakit itself has failed
//	126    the command was found and can't be run
//	127    the command was not found
//	128+n  signal n has ended the command
//	else   the command's own
//
// If SIGINT has ended the command, breakit ends by SIGINT, too, so that a shell script around it
// stops. A shell shows that as 130.
//
// # Signals and the terminal
//
// SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP and SIGCONT go on
// to the command's group. A signal that was ignored when breakit started, as by nohup, stays
// ignored. If breakit itself is killed, the command is killed, too, on Linux.
//
// A command that is started in a terminal's foreground gets the terminal: it can read from it, and
// Ctrl-C, Ctrl-\ and Ctrl-Z reach it. breakit takes the terminal back when the command stops or
// ends. If the command didn't end by itself, breakit restores the modes. In a pipeline, or if
// standard input isn't the terminal, the command gets the terminal when it asks for it. Ctrl-Z
// stops the whole job; fg and bg continue it. The clock of after and idle goes on meanwhile, but
// stands still while the machine sleeps. until uses the wall clock.
//
// With idle the command's output goes through breakit, so the command writes to a pipe instead of
// the terminal. Many programs then use no color, and buffer their output.
//
// # State
//
// Each breakit has a file in $XDG_RUNTIME_DIR/breakit, which ps reads. If that variable isn't set,
// or isn't a directory of yours, the file is in breakit-UID in the directory for temporary files.
// breakit holds a lock on the file, which ends with the process, however that ends. ps removes
// files without a lock.
//
// # Systems
//
// breakit is tested on Linux. For darwin and FreeBSD our checks compile it, but don't run it. On
// the BSDs it leaves the terminal alone. On Windows there is no ps and no signal but Ctrl-C, and
// the limit kills the command alone, without a grace.
package main
