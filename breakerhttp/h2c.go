package breakerhttp

import (
	"log"
	"net/http"
	"reflect"
)

const refusedH2C = "breakerhttp: Serve: HTTP/2 without TLS is served by http.Server, after Protocols.SetUnencryptedHTTP2(true), and not by h2c.NewHandler"

// takeOverH2C lets the server itself speak HTTP/2 without TLS if its handler is one of
// golang.org/x/net/http2/h2c. That handler would hijack each such connection, and be in flight
// until the connection is closed.
func (s *serving) takeOverH2C(handler http.Handler) {
	t := reflect.TypeOf(handler)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Name() != "h2cHandler" || t.PkgPath() != "golang.org/x/net/http2/h2c" {
		return
	}
	protocols := new(http.Protocols)
	if s.server.Protocols != nil {
		*protocols = *s.server.Protocols
	} else {
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	}
	protocols.SetUnencryptedHTTP2(true)
	s.server.Protocols = protocols
}

// refusesH2C refuses a request that is the beginning of HTTP/2, and returns true. From others it
// removes the headers that would upgrade them to HTTP/2.
func (s *serving) refusesH2C(w http.ResponseWriter, r *http.Request) bool {
	if r.ProtoMajor == 2 && r.Method == "PRI" && r.RequestURI == "*" {
		w.Header().Set("Connection", "close")
		http.Error(w, refusedH2C, http.StatusHTTPVersionNotSupported)
		s.logf(refusedH2C)
		return true
	}
	if r.ProtoMajor == 1 && r.Header["Http2-Settings"] != nil {
		delete(r.Header, "Http2-Settings")
		delete(r.Header, "Upgrade")
	}
	return false
}

func (s *serving) logf(text string) {
	if s.server.ErrorLog != nil {
		s.server.ErrorLog.Print(text)
		return
	}
	log.Print(text)
}
