package breakerhttp

import (
	"context"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/stdcontext"
)

// copyOf returns a copy of the request with the context, as http.Request.WithContext does. Trailers
// also arrive on the copy.
//
// net/http adds trailers that the client hasn't announced to the map in its own request. So that
// map must exist, and both requests must share it.
func copyOf(r *http.Request, ctx context.Context) *http.Request {
	if r.Trailer == nil && r.ProtoMajor == 1 && r.ContentLength < 0 {
		r.Trailer = make(http.Header)
	}
	return r.WithContext(ctx)
}

// giveBack copies what the handler has set in the copy of a request back to the original.
//
// Method, Proto, Body, ContentLength and Trailer stay as they are. net/http reads them again after
// the handler has returned, and may be writing Trailer.
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

// wildcards yields the names in a pattern of http.ServeMux, or of another router that writes them
// in braces, such as chi.
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

// removeUploads removes the files of an upload. With HTTP/1, net/http doesn't if the handler
// panics.
func removeUploads(form *multipart.Form) {
	if form != nil {
		_ = form.RemoveAll() // a file that is gone is what we want
	}
}

// removeUploadsLater removes them once net/http has ended the request, so that middleware outside
// still sees them. With HTTP/2, net/http of Go 1.27 looks for the form in another request than the
// handler's and doesn't find it, with this package or without.
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

// requestContext keeps the values of a process breaker out of the requests that it ends. If that
// breaker has a context among its sources, the view would look there, too.
type requestContext struct {
	context.Context // the view
	request         context.Context
}

func (c *requestContext) Value(key any) any {
	if stdcontext.IsKey(key) {
		return c.Context.Value(key)
	}
	return c.request.Value(key)
}

// AfterFunc lets package context derive a context without a goroutine.
func (c *requestContext) AfterFunc(f func()) func() bool { return context.AfterFunc(c.Context, f) }
