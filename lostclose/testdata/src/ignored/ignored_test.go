package ignored

import (
	"testing"
	"time"

	"github.com/kamilsk/breaker"
)

func TestLeft(t *testing.T) {
	breaker.BreakByTimeout(time.Hour)
}
