package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kamilsk/breaker/breakercluster"
)

// opened is a client, and what it is used for.
type opened struct {
	// store returns the store. Where a store knows by itself when keys expire, ttl is for it; 0 is
	// its default.
	store func(ctx context.Context, ttl time.Duration) (breakercluster.Store, error)
	// create makes what the keys are kept in, unless there is one.
	create func(ctx context.Context) error
	close  func()
}

// end closes the client, and doesn't wait for a server that is away: the process is about to end.
func (s *opened) end() {
	const longest = time.Second
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.close()
	}()
	select {
	case <-closed:
	case <-time.After(longest):
	}
}

// engines opens a URL, by its scheme.
var engines = map[string]func(location) (*opened, error){
	"nats": openNATS, "tls": openNATS,
	"etcd": openEtcd, "etcds": openEtcd,
	"postgres": openPostgres, "postgresql": openPostgres,
	"redis": openRedis, "rediss": openRedis,
}

// defaultName is what holds the keys, unless the URL says otherwise.
const defaultName = "breakit"

// location is a URL. Package url doesn't parse those with many hosts.
type location struct {
	scheme string
	// rest is between the scheme and the query.
	rest  string
	query url.Values
	name  string
}

// open makes a client for the URL. It makes no request.
func open(text string) (*opened, error) {
	l, err := locate(text)
	if err != nil {
		return nil, err
	}
	s, err := engines[l.scheme](l)
	if err != nil {
		return nil, fmt.Errorf("the store: %w", err)
	}
	return s, nil
}

// locate reads a URL. Its errors don't show the URL, which may have a password in it.
func locate(text string) (l location, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || engines[scheme] == nil {
		return l, errors.New("the store is not a URL such as nats://HOST, etcd://HOST, postgres://HOST/DB or redis://HOST/0")
	}
	rest, query, _ := strings.Cut(rest, "?")
	l = location{scheme: scheme, rest: rest, name: defaultName}
	if l.query, err = url.ParseQuery(query); err != nil {
		return l, errors.New("the store: what follows the question mark can't be read")
	}
	if l.query.Has("name") {
		l.name = l.query.Get("name")
		l.query.Del("name")
	}
	if rest == "" || l.name == "" {
		return l, errors.New("the store: there is no host, or its name is empty")
	}
	return l, nil
}

// url returns the URL without what is ours, for the engine's own client.
func (l location) url() string {
	text := l.scheme + "://" + l.rest
	if len(l.query) > 0 {
		text += "?" + l.query.Encode()
	}
	return text
}

// only returns an error if there are other parameters.
func (l location) only(names ...string) error {
	for name := range l.query {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no parameter %q", name)
		}
	}
	return nil
}

// hosts returns the hosts, and the user if there is one.
func (l location) hosts() (all []string, user *url.Userinfo, err error) {
	hosts, _, _ := strings.Cut(l.rest, "/")
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		u, err := url.Parse("x://" + hosts[:at] + "@h")
		if err != nil {
			return nil, nil, errors.New("the user or the password can't be read: write what isn't a letter or digit as in %40")
		}
		user, hosts = u.User, hosts[at+1:]
	}
	return strings.Split(hosts, ","), user, nil
}

// tls returns what the parameters ca, cert and key say, or nil if there are none of them.
func (l location) tls() (*tls.Config, error) {
	ca, cert, key := l.query.Get("ca"), l.query.Get("cert"), l.query.Get("key")
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in it", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// nothing is for what needs no bucket or table.
func nothing(context.Context) error { return nil }

// ready is for a store that is opened without a request.
func ready(s breakercluster.Store) func(context.Context, time.Duration) (breakercluster.Store, error) {
	return func(context.Context, time.Duration) (breakercluster.Store, error) { return s, nil }
}
