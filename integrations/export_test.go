package integrations

import "time"

// Reserve is what Take does when its turn has come: it returns the moment that is permitted to one
// who has asked at the moment given, both counted from when the limiter was made.
func (l *Limiter) Reserve(asked time.Duration) time.Duration { return l.reserve(asked) }
