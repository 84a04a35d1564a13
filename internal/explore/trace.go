package explore

import (
	"fmt"
	"reflect"
	"unsafe"
)

// named is an object that a program has given a name to.
type named struct {
	name    string
	pointer any
}

// Name gives a name to what a pointer or a channel refers to, and by that to its fields, for the
// trace.
func (r *Run) Name(name string, pointer any) { r.names = append(r.names, named{name, pointer}) }

// traceEvent adds a line to the trace.
func (r *Run) traceEvent(e *event, label string) {
	outcome := ""
	switch {
	case e.asked == Swap && e.kind == Read:
		outcome = ", which fails"
	case e.waits:
		outcome = ", awaited"
	}
	object := ""
	if e.object != nil {
		object = " of " + r.name(e.object)
	}
	r.trace = append(r.trace, fmt.Sprintf("%c %-24s %s%s%s", 'a'+e.thread, label, e.asked, object, outcome))
}

// tracePlain does that for an access that isn't atomic.
func (r *Run) tracePlain(p *plain) {
	r.trace = append(r.trace, fmt.Sprintf("%c %-24s plain %s of %s", 'a'+p.thread, p.label, p.kind, r.name(p.object)))
}

// name returns what a program calls an object, or else a number.
func (r *Run) name(object unsafe.Pointer) string {
	for _, n := range r.names {
		v := reflect.ValueOf(n.pointer)
		if v.Kind() == reflect.Chan && v.UnsafePointer() == object {
			return n.name
		}
		if v.Kind() != reflect.Pointer {
			continue
		}
		offset := uintptr(object) - v.Pointer()
		if offset < v.Type().Elem().Size() {
			return n.name + path(v.Type().Elem(), offset)
		}
	}
	numbers := map[unsafe.Pointer]int{}
	for _, e := range r.events[:r.depth] {
		if _, ok := numbers[e.object]; !ok {
			numbers[e.object] = len(numbers) + 1
		}
	}
	for _, p := range r.plains {
		if _, ok := numbers[p.object]; !ok {
			numbers[p.object] = len(numbers) + 1
		}
	}
	return fmt.Sprintf("#%d", numbers[object])
}

// path returns how to get from a value of type t to what lies at an offset in it.
func path(t reflect.Type, offset uintptr) string {
	switch t.Kind() {
	case reflect.Array:
		if size := t.Elem().Size(); size > 0 {
			return fmt.Sprintf("[%d]%s", offset/size, path(t.Elem(), offset%size))
		}
	case reflect.Struct:
		if t.PkgPath() == "github.com/kamilsk/breaker/internal/atomic" {
			return "" // what is inside is no concern of the program's
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Offset <= offset && offset-f.Offset < f.Type.Size() {
				if f.Anonymous {
					return path(f.Type, offset-f.Offset)
				}
				return "." + f.Name + path(f.Type, offset-f.Offset)
			}
		}
	}
	return ""
}
