// Package benchmarks compares package breaker with the other ways to do its jobs.
//
// The jobs that are compared with package context alone are benchmarks of package breaker itself;
// here are those that need other modules, much memory, or a histogram. The command in the directory
// run measures both, and writes BENCHMARKS.md and the charts:
//
//	cd benchmarks && go run ./run
package benchmarks
