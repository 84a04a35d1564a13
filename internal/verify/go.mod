module github.com/kamilsk/breaker/internal/verify

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/kamilsk/breaker v0.0.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.24.0
	golang.org/x/time v0.16.0
	pgregory.net/rapid v1.3.0
)

require (
	go.uber.org/atomic v1.12.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/kamilsk/breaker => ../..
