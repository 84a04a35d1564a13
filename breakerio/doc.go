// Package breakerio makes blocked I/O interruptible: a Read, a Write or an Accept that is waiting
// when a breaker trips ends at once, with the breaker's cause as its error.
//
// A server or client binds its connection to a breaker:
//
//	conn = breakerio.Conn(br, conn)
//	defer conn.Close()
//	n, err := conn.Read(buf) // errors.Is(err, br.Cause()), if br has tripped
//
// A server stops accepting by one breaker, and cuts its connections by another:
//
//	listener = breakerio.Listener(drain, listener, breakerio.WithConns(cut))
//	err := server.Serve(listener)
//
// A pool takes the breaker off before it keeps the connection:
//
//	inner, err := breakerio.Release(conn)
//
// A filter reads its standard input, whatever that is, until it is told to stop:
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
// At the trip, a callback sets a deadline that lies in the past. The runtime then wakes the
// goroutines that are blocked. The package starts no goroutine for that, before the trip or after
// it. There is one registration for each connection, and Close drops it. A deadline that is set
// later can't undo the trip.
//
// For something without deadlines, Reader, Writer and Stdin return ErrNotInterruptible. If a
// goroutine that may outlive the trip is acceptable, say WithGoroutine.
//
// # What it does not do
//
// It doesn't end a system call: a read of a file on a network file system that hangs goes on
// hanging. It closes nothing of yours at the trip, except what turns out to have no working
// deadlines. It never closes a breaker. It doesn't complete partial messages: after the trip, a
// connection is usually good for Close only.
//
// # Concurrency
//
// Every function may be called concurrently, and so may the methods of what it returns, as far as
// those of what it was given may. The callback runs on the goroutine that trips the breaker and
// doesn't block.
package breakerio
