// Package unrelated has functions with the same names.
package unrelated

type br struct{}

func (br) Err() error { return nil }

func BreakByTimeout() br { return br{} }

func use() error {
	BreakByTimeout()
	b := BreakByTimeout()
	return b.Err()
}
