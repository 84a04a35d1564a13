// Command io ends a Read that blocks on a silent peer, and an Accept that waits for the next one.
//
//	go run ./examples/io
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

var errMaintenance = errors.New("maintenance begins")

func main() {
	stop := breaker.New()
	defer stop.Close()

	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	listener := breakerio.Listener(stop, inner)
	defer listener.Close()

	peer, err := net.Dial("tcp", listener.Addr().String()) // connects, and never sends anything
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	accepted, err := listener.Accept()
	if err != nil {
		log.Fatal(err)
	}
	conn := breakerio.Conn(stop, accepted)
	defer conn.Close()

	time.AfterFunc(100*time.Millisecond, func() { stop.Trip(errMaintenance) })

	_, err = conn.Read(make([]byte, 1))
	fmt.Println("Read:", errors.Is(err, errMaintenance))
	_, err = listener.Accept()
	fmt.Println("Accept:", errors.Is(err, errMaintenance))
}
