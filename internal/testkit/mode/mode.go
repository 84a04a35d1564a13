// Package mode says how the tests were built. It imports nothing, so tests inside of any package
// may use it.
package mode
