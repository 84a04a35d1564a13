package breaker

// Slots returns how many slots a breaker's registry has, and how many of them are taken.
func Slots(br Interface) (all, taken int) { return unwrap(br).registry.Slots() }
