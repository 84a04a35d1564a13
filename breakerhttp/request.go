package breakerhttp

import (
	"context"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/kamilsk/breaker"
)

// copyOf returns a copy of the request with the context, as http.Request.WithContext does, on which
// net/http's trailers arrive, too.
//
// net/http puts trailers that the client hasn't announced into its own request, into the map that
// is there. So there has to be one that both share.
func copyOf(r *http.Request, ctx context.Context) *http.Request {
	if r.Trailer == nil && r.ProtoMajor == 1 && r.ContentLength < 0 {
		r.Trailer = make(http.Header)
	}
	return r.WithContext(ctx)
}

// giveBack puts what happened on the copy of a request into the original, as if there had been no
// copy.
//
// What net/http keeps its protocol by (Method, Proto, Body, ContentLength, Trailer) stays as it is:
// it looks at them once more after the handler has returned, and Trailer it may be writing.
func giveBack(r, inner *http.Request) {
	r.URL, r.Host, r.RemoteAddr, r.Header = inner.URL, inner.Host, inner.RemoteAddr, inner.Header
	r.Form, r.PostForm, r.MultipartForm = inner.Form, inner.PostForm, inner.MultipartForm
	if r.Pattern != inner.Pattern {
		r.Pattern = inner.Pattern
		for name := range wildcards(inner.Pattern) {
			r.SetPathValue(name, inner.PathValue(name))
		}
	}
}

// wildcards yields the names in a pattern of http.ServeMux, or of a router that writes them in
// braces, too, as chi does.
func wildcards(pattern string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			_, rest, ok := strings.Cut(pattern, "{")
			if !ok {
				return
			}
			var name string
			name, pattern, _ = strings.Cut(rest, "}")
			name, _, _ = strings.Cut(name, ":") // {id:[0-9]+}
			name = strings.TrimSuffix(name, "...")
			if name != "" && name != "$" && !yield(name) {
				return
			}
		}
	}
}

// removeUploads does what net/http doesn't if the handler panics, not with HTTP/1.
func removeUploads(form *multipart.Form) {
	if form != nil {
		_ = form.RemoveAll() // a file that is gone is what we want
	}
}

// removeUploadsLater removes them when net/http has ended the request, and middleware outside has
// seen them. With HTTP/2 the net/http of Go 1.27 looks for the form in a request of its own, which
// isn't the handler's, and doesn't find it, with this package or without.
func removeUploadsLater(r *http.Request) {
	if form := r.MultipartForm; form != nil {
		context.AfterFunc(r.Context(), func() { removeUploads(form) })
	}
}

// contextOf returns the context of a request with the breaker: done when the breaker trips, with
// the request's values.
func (h *handler) contextOf(r *http.Request, br *breaker.Breaker) context.Context {
	view := breaker.ToContext(br)
	if len(h.processes) == 0 {
		return view
	}
	return &requestContext{view, r.Context()}
}

// requestContext keeps the values of a process breaker out of the requests that it ends: if that
// one is made of a context, the view looks there, too.
type requestContext struct {
	context.Context // the view
	request         context.Context
}

func (c *requestContext) Value(key any) any {
	if key == causeKey {
		return c.Context.Value(key)
	}
	return c.request.Value(key)
}

// AfterFunc is what package context looks for when it derives a context: with it, it needs no
// goroutine.
func (c *requestContext) AfterFunc(f func()) func() bool { return context.AfterFunc(c.Context, f) }

// causeKey is the private key by which package context asks a context for one of its own, whose
// cause it then reads. If it asks for nothing any more, causeKey is a key that no context has, and
// context.Cause returns the error instead of the cause.
var causeKey = func() any {
	k := keyCatcher{key: new(int)}
	context.Cause(&k)
	return k.key
}()

// keyCatcher is a context that is done, and remembers what it was asked for.
type keyCatcher struct {
	context.Context
	key any
}

func (*keyCatcher) Err() error { return context.Canceled }

func (k *keyCatcher) Value(key any) any {
	k.key = key
	return nil
}
