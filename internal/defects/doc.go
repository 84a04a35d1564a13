// Package defects has a test for each thing that the older implementation of this API got wrong, D1
// to D12, so that none comes back. D1 and D2 are about processes that die of a signal: see
// signal_unix_test.go at the root.
package defects
