package breakerio_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

func ExampleConn() {
	client, server := net.Pipe() // stands for a connection whose other side is silent
	defer server.Close()

	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	conn := breakerio.Conn(br, client)
	defer conn.Close()

	_, err := conn.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, br.Cause()), os.IsTimeout(err))
	// Output: true true
}

func ExampleListener() {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	br := breaker.New()
	listener := breakerio.Listener(br, inner)
	defer listener.Close()

	time.AfterFunc(10*time.Millisecond, func() { br.Trip(errors.New("the operator said so")) })
	_, err = listener.Accept()
	fmt.Println(errors.Is(err, br.Cause()), br.Cause())
	// Output: true the operator said so
}

func ExampleWithConns() {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	drain, cut := breaker.New(), breaker.New()
	listener := breakerio.Listener(drain, inner, breakerio.WithConns(cut))
	defer listener.Close()

	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	conn, err := listener.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	drain.Close() // accepts no more; the connection goes on
	_, _ = client.Write([]byte("hello"))
	n, err := conn.Read(make([]byte, 10))
	fmt.Println(n, err)

	time.AfterFunc(10*time.Millisecond, cut.Close)
	_, err = conn.Read(make([]byte, 10))
	fmt.Println(errors.Is(err, breaker.Interrupted))
	// Output:
	// 5 <nil>
	// true
}

func ExampleRelease() {
	pooled, server := net.Pipe()
	defer server.Close()

	br := breaker.New()
	conn := breakerio.Conn(br, pooled)
	// … a request and its response …
	inner, err := breakerio.Release(conn)
	fmt.Println(inner == pooled, err)

	br.Close() // doesn't touch the connection any more
	go func() { _, _ = server.Write([]byte("next")) }()
	n, err := inner.Read(make([]byte, 10))
	fmt.Println(n, err)
	// Output:
	// true <nil>
	// 4 <nil>
}

func ExampleReader() {
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	defer w.Close()

	br := breaker.BreakByTimeout(200 * time.Millisecond)
	defer br.Close()
	reader, err := breakerio.Reader(br, r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()

	_, _ = w.WriteString("half a mess")
	got, err := io.ReadAll(reader)
	fmt.Printf("%s: %t\n", got, errors.Is(err, br.Cause()))
	// Output: half a mess: true
}

func ExampleWriter() {
	r, w := net.Pipe()
	defer r.Close()
	defer w.Close()

	br := breaker.New()
	writer, err := breakerio.Writer(br, w)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer writer.Close()

	go func() {
		_, _ = io.ReadFull(r, make([]byte, 3))
		br.Close()
	}()
	n, err := writer.Write([]byte("message"))
	fmt.Println(n, errors.Is(err, breaker.ErrClosed))
	// Output: 3 true
}

func ExampleWithGoroutine() {
	in, out := io.Pipe() // has no deadlines
	defer out.Close()

	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	_, err := breakerio.Reader(br, in)
	fmt.Println(errors.Is(err, breakerio.ErrNotInterruptible))

	reader, err := breakerio.Reader(br, in, breakerio.WithGoroutine())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	_, err = reader.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, br.Cause()))
	// Output:
	// true
	// true
}

func ExampleStdin() {
	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	// The option is for Windows; see Stdin.
	stdin, err := breakerio.Stdin(br, breakerio.WithGoroutine())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stdin.Close()

	_, err = io.ReadAll(stdin)
	fmt.Println(err == nil || errors.Is(err, br.Cause()))
	// Output: true
}

func ExampleCopy() {
	br := breaker.New()
	defer br.Close()
	n, err := breakerio.Copy(br, os.Stdout, strings.NewReader("all of it\n"))
	fmt.Println(n, err)

	br.Trip(errors.New("enough"))
	n, err = breakerio.Copy(br, os.Stdout, strings.NewReader("nothing of it\n"))
	fmt.Println(n, err)
	// Output:
	// all of it
	// 10 <nil>
	// 0 enough
}
