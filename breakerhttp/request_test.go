package breakerhttp_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakerhttp"
)

// net/http removes the files of an upload that it finds in its own request, not in a copy.
func TestRequest_HandlerRemovesUploads(t *testing.T) {
	for _, protocol := range protocols {
		for _, name := range []string{"returns", "panics", "panics, and is recovered"} {
			t.Run(protocol+", the handler "+name, func(t *testing.T) {
				dir := t.TempDir()
				t.Setenv("TMPDIR", dir)
				t.Setenv("TMP", dir) // what Windows reads
				parsed := make(chan int, 1)
				handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					assert.NoError(t, r.ParseMultipartForm(1))
					parsed <- len(filesIn(t, dir))
					if name != "returns" {
						panic(http.ErrAbortHandler)
					}
				}))
				rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					if name == "panics, and is recovered" {
						defer func() { assert.NotNil(t, recover()) }()
					}
					r.Header.Set("X-Timeout", "1h")
					handler.ServeHTTP(w, r)
				})
				go func() { rig.served <- rig.server.Serve(rig.listener) }()

				var body bytes.Buffer
				form := multipart.NewWriter(&body)
				part, err := form.CreateFormFile("file", "file")
				require.NoError(t, err)
				_, err = part.Write(make([]byte, 1<<20))
				require.NoError(t, err)
				require.NoError(t, form.Close())
				response, err := rig.client.Post(rig.url, form.FormDataContentType(), &body)
				if err == nil {
					response.Body.Close()
				}
				assert.Equal(t, 1, receive(t, parsed), "the upload was kept in a file")
				rig.client.CloseIdleConnections()
				assert.NoError(t, rig.server.Shutdown(t.Context()))
				receive(t, rig.served)
				if strings.HasPrefix(protocol, "HTTP/2") && name == "returns" {
					// Go 1.27 leaves it to us, when the request's context ends, on a goroutine.
					for begun := time.Now(); len(filesIn(t, dir)) > 0 && time.Since(begun) < patience; {
						runtime.Gosched()
					}
				}
				assert.Empty(t, filesIn(t, dir))
			})
		}
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "multipart-*"))
	require.NoError(t, err)
	return files
}

// What the handler finds out about its request, middleware outside finds in its own.
func TestRequest_HandlerGivesBack(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprintf("panics: %t", panics), func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("POST /users/{id}/{rest...}", func(_ http.ResponseWriter, r *http.Request) {
				assert.NoError(t, r.ParseForm())
				r.RemoteAddr = "the real one"
				r.Header = http.Header{"Replaced": nil}
				if panics {
					panic(http.ErrAbortHandler)
				}
			})
			r := httptest.NewRequest(http.MethodPost, "/users/7/a/b?q=1", bytes.NewBufferString("f=2"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Timeout", "1h")
			ctx, body := r.Context(), r.Body
			func() {
				defer func() { assert.Equal(t, panics, recover() != nil) }()
				breakerhttp.Handler(mux).ServeHTTP(httptest.NewRecorder(), r)
			}()
			assert.Equal(t, "POST /users/{id}/{rest...}", r.Pattern)
			assert.Equal(t, "7", r.PathValue("id"))
			assert.Equal(t, "a/b", r.PathValue("rest"))
			assert.Equal(t, []string{"1"}, r.Form["q"])
			assert.Equal(t, []string{"2"}, r.PostForm["f"])
			assert.Equal(t, "the real one", r.RemoteAddr)
			assert.Equal(t, http.Header{"Replaced": nil}, r.Header)
			assert.Equal(t, ctx, r.Context(), "but for the context, which has ended")
			assert.Equal(t, body, r.Body, "and for what net/http keeps its protocol by")
		})
	}
}

// net/http tells of trailers in its own request, too, even of those that the client hasn't
// announced.
func TestRequest_HandlerSeesTrailers(t *testing.T) {
	trailers := make(chan http.Header, 1)
	rig := assemble(t, "HTTP/1", breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		trailers <- r.Trailer
	}), breakerhttp.WithLimit(forever)).ServeHTTP)
	rig.serve()
	conn := rig.dial()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: host\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nSum: 7\r\n\r\n")
	assert.Equal(t, http.Header{"Sum": {"7"}}, receive(t, trailers))
	rig.stop.Trip(nil)
	assert.NoError(t, receive(t, rig.served))
}

// A client that waits to be told to go on is told nothing by a handler that doesn't read: its
// connection can't be used again.
func TestRequest_HandlerExpectContinue(t *testing.T) {
	rig := assemble(t, "HTTP/1", breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1)
		fmt.Fprint(w, "no")
	}), breakerhttp.WithLimit(forever)).ServeHTTP)
	rig.server.ErrorLog = log.New(io.Discard, "", 0)
	rig.serve()
	conn := rig.dial()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: host\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")
	text, err := io.ReadAll(conn)
	assert.NoError(t, err)
	assert.Contains(t, string(text), "Connection: close")
	rig.stop.Trip(nil)
	assert.NoError(t, receive(t, rig.served))
}
