// Package clustertest has the tests that every Store of package breakercluster has to pass against
// a real server. It also has what they need: a proxy that cuts connections, free ports, servers as
// processes.
//
//	func TestStore_Conformance(t *testing.T) {
//		clustertest.Run(t, func(t testing.TB) *clustertest.Engine { … })
//	}
//
//	func BenchmarkTripToStop(b *testing.B) { clustertest.Benchmark(b, start) }
//
// Memory is a store for tests of programs that use a Bucket.
package clustertest
