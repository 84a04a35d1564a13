package main

import (
	"crypto/tls"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/kamilsk/breaker/breakeretcd"
)

func openEtcd(l location) (*opened, error) {
	if err := l.only("ca", "cert", "key"); err != nil {
		return nil, err
	}
	config, err := l.tls()
	if err != nil {
		return nil, err
	}
	scheme := "http://"
	if l.scheme == "etcds" {
		scheme = "https://"
		if config == nil {
			config = new(tls.Config)
		}
	}
	hosts, user, err := l.hosts()
	if err != nil {
		return nil, err
	}
	// A connection that is dead without a sign is found to be so, and another one is made.
	const alive = 5 * time.Second
	c := clientv3.Config{
		TLS: config, DialTimeout: patience, DialKeepAliveTime: alive, DialKeepAliveTimeout: alive,
		Logger: zap.NewNop(), // what matters comes back from the calls
	}
	for _, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, "2379")
		}
		c.Endpoints = append(c.Endpoints, scheme+host)
	}
	if user != nil {
		c.Username = user.Username()
		c.Password, _ = user.Password()
	}
	client, err := clientv3.New(c)
	if err != nil {
		return nil, err
	}
	return &opened{
		store: ready(breakeretcd.New(client, l.name)), create: nothing, close: func() { _ = client.Close() },
	}, nil
}
