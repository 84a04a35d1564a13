//go:build !breaker_pure

package registry

const pure = false
