module github.com/kamilsk/breaker

go 1.25.0

require go.uber.org/atomic v1.12.0
