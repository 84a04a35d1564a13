// Package breakerio makes blocked I/O interruptible. When a breaker trips, a Read, a Write or an
// Accept that is waiting returns at once, with the breaker's cause as its error.
//
// A server or client binds its connection to a breaker:
//
//	conn = breakerio.Conn(br, conn)
//	defer conn.Close()
//	n, err := conn.Read(buf) // errors.Is(err, br.Cause()), if br has tripped
//
// A server stops accepting when drain trips, and cuts its connections when cut trips:
//
//	listener = breakerio.Listener(drain, listener, breakerio.WithConns(cut))
//	err := server.Serve(listener)
//
// Before a connection goes back into a pool, unbind it:
//
//	inner, err := breakerio.Release(conn)
//
// A filter reads standard input, whatever that is, until the breaker trips:
//
//	stdin, err := breakerio.Stdin(br)
//	defer stdin.Close()
//	lines := bufio.NewScanner(stdin)
//
// For a pipe, a pseudo-terminal or a file use Reader and Writer. If all you do is copy, use Copy:
//
//	n, err := breakerio.Copy(br, conn, file)
//
// # How it works
//
// At the trip, a callback sets a deadline in the past, and the runtime wakes the blocked
// goroutines. The package starts no goroutine for that. There is one registration for each
// connection, and Close drops it. A deadline that is set later can't undo the trip.
//
// For something without deadlines, Reader, Writer and Stdin return ErrNotInterruptible. If you
// accept a goroutine that may outlive the trip, pass WithGoroutine.
//
// # What it does not do
//
// It doesn't end a system call: a read from a network file system that hangs keeps hanging. It
// closes nothing of yours at the trip, except connections whose deadlines turn out not to work. It
// never closes a breaker. It doesn't complete partial messages: after the trip, you can usually
// only Close a connection.
//
// # Concurrency
//
// Every function may be called concurrently. The methods of a result may be called concurrently if
// those of what it wraps may. The callback runs on the goroutine that trips the breaker, and
// doesn't block.
package breakerio
