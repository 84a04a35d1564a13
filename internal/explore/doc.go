// Package explore runs a concurrent program on every schedule.
//
// Go's atomic operations are sequentially consistent, so for code free of data races the
// interleavings of its accesses to shared memory are all its behaviors: going through them
// exhaustively is exact. The explorer also finds data races, where the code declares its plain
// reads and writes by Plain.
//
// A program is a function that sets up fresh state and starts a few threads. Each thread is a
// coroutine, which calls Access before every access to shared memory. There the scheduler decides
// which thread goes on. What a thread does between two calls is one step, which begins with the
// access.
// The search is depth-first and stateless: each schedule runs the program again, from its setup.
//
// For that a program must be deterministic: nothing may depend on time, addresses, map order or
// other goroutines. What threads share must be accessed by way of Access, except for results that
// are only added up and looked at in AtEnd. Threads must not block in any other way than by Await.
//
// # What is left out, and why nothing is lost
//
// Two steps of different threads are dependent if they access the same object and at least one of
// them writes it; a compare-and-swap that fails only reads. Swapping two neighboring independent
// steps changes neither what any thread sees nor the state in the end. Schedules that differ in
// such swaps only are equivalent, and it is enough to run one of each class. Two techniques do
// that, as published by Abdulla, Aronsson, Jonsson and Sagonas (Optimal Dynamic Partial Order
// Reduction, POPL 2014, the algorithm called Source-DPOR):
//
//   - Source sets. Happens-before is tracked by vector clocks. Two dependent steps that nothing
//     else orders are a race: then the search comes back to the state before the first of them,
//     with a thread that can begin the reversed order. Where there is no race, there is nothing to
//     come back for.
//   - Sleep sets. A thread whose next step has been explored from a state needn't take it again as
//     long as only steps independent of it follow. A schedule in which all threads that could go on
//     are asleep is equivalent to one that was run: it is counted as redundant, and ended without
//     further branching.
//
// So what a thread observes by its own accesses, and what AtEnd sees, is complete. A check of
// several objects at one instant isn't, because equivalent schedules pass through different states
// in between. Two ways to do that soundly: let a thread observe one object after the other, which
// finds everything if they change in one direction only. Or have the check in Always depend on one
// object, whose changes are never reordered.
//
// With Options.Every nothing is left out. Options.Preemptions bounds how often a schedule may take
// the turn from a thread that could have gone on. The search is then complete up to that bound.
package explore
