//go:build !breaker_pure

package mode

// Pure says that the package does without unsafe and without the inside of package context (promise
// 26): then the budgets of memory and goroutines don't hold.
const Pure = false
