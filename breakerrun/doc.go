// Package breakerrun starts the parts of a program together and shuts them down stage by stage:
// HTTP and gRPC servers, workers, and whatever else runs until it is told to stop.
//
//	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
//	defer stop.Close()
//
//	err := breakerrun.Run(stop,
//		breakerrun.Readiness("readiness", ready.Store, 5*time.Second),
//		breakerrun.Server("public", func(stop, cut breaker.Interface) error {
//			return breakerhttp.Serve(public, listener, stop, breakerhttp.WithCut(cut))
//		}),
//		breakerrun.Worker("mailer", mailer.Run),
//		breakerrun.Graceful("admin", serveAdmin, admin.Shutdown, admin.Close,
//			breakerrun.WithStage(breakerrun.Admin)),
//	)
//
// A worker stops taking jobs when stop trips, and gives up the job it is working on when cut trips:
//
//	func (m *Mailer) Run(stop, cut breaker.Interface) error {
//		for {
//			job, err := m.queue.Next(breaker.ToContext(stop))
//			if stop.Err() != nil {
//				return nil
//			}
//			if err != nil {
//				return err // stops the other parts
//			}
//			if err := m.send(breaker.ToContext(cut), job); err != nil {
//				return err
//			}
//		}
//	}
//
// # What happens when
//
//	all parts run    until stop trips, or a part fails, panics or returns StopAll
//	stage by stage   readiness, Front, Work, Admin:
//	  drain          stop of each part in the stage trips; the parts finish what they have begun
//	  cut            cut trips when the grace period ends, at a second signal, or by WithCut
//	  give up        a part that doesn't return soon after is left behind, and named in the error
//
// A stage begins when every part of the stage before has returned or been left behind. So the
// workers go on until the last public request has been answered, and the admin server answers until
// the workers are done. The order also holds after a cut.
//
// # Limits
//
// All stages share one grace period: 20 seconds by default, counted from the beginning of the
// shutdown. WithLimit gives a single part less. Each stage may take the cut timeout on top, 2
// seconds by default. So a shutdown of n stages ends within the grace period and n cut timeouts,
// whatever the parts do.
//
// # Concurrency
//
// Every function may be called concurrently, and so may Run of one Runner. The functions of a part
// are called once for each Run that the part is passed to. serve and drain of Graceful run
// concurrently, and so may drain and cut.
package breakerrun
