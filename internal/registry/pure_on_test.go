//go:build breaker_pure

package registry

// pure says that places are random, so that a directory grows sooner.
const pure = true
