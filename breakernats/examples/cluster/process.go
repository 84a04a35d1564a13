package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is this program again, in another role.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	events  chan event
}

// event is what a process has to say, a line of JSON each.
type event struct {
	What string `json:"what"`
	// Name is the process's own.
	Name string `json:"name,omitempty"`
	// URL is a server's.
	URL string `json:"url,omitempty"`
	// Cause and By are what stopped a worker, Error what went wrong.
	Cause string `json:"cause,omitempty"`
	By    string `json:"by,omitempty"`
	Error string `json:"error,omitempty"`
	// Revision is that of the key, Steps what was done until then, Stopped when each task of the
	// worker stopped.
	Revision uint64      `json:"revision,omitempty"`
	Steps    int64       `json:"steps,omitempty"`
	Stopped  []time.Time `json:"stopped,omitempty"`
	// Won says whether a Trip was the first, Took how long it took.
	Won  bool          `json:"won,omitempty"`
	Took time.Duration `json:"took,omitempty"`
}

// spawn starts a process, with its parameters as the first line that it reads.
func spawn(role string, parameters any) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(path), events: make(chan event, 16)}
	p.command.Env = append(os.Environ(), asRole+"="+role)
	p.command.Stderr = os.Stderr
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.events)
		for decoder := json.NewDecoder(out); ; {
			var e event
			if decoder.Decode(&e) != nil {
				return
			}
			p.events <- e
		}
	}()
	if err := json.NewEncoder(p.in).Encode(parameters); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// tell sends a command.
func (p *process) tell(command string) error {
	_, err := fmt.Fprintln(p.in, command)
	return err
}

// next waits for an event.
func (p *process) next(ctx context.Context) (event, error) {
	select {
	case e, ok := <-p.events:
		switch {
		case !ok:
			return event{}, fmt.Errorf("process %d has ended", p.command.Process.Pid)
		case e.Error != "":
			return event{}, fmt.Errorf("%s: %s", e.Name, e.Error)
		}
		return e, nil
	case <-ctx.Done():
		return event{}, ctx.Err()
	}
}

// expect waits for an event of this kind.
func (p *process) expect(ctx context.Context, what string) (event, error) {
	e, err := p.next(ctx)
	if err == nil && e.What != what {
		err = fmt.Errorf("%s is %s, which was to be %s", e.Name, e.What, what)
	}
	return e, err
}

// stop lets the process end, and waits for that.
func (p *process) stop() {
	_ = p.in.Close()
	for range p.events {
	}
	_ = p.command.Wait() // how it has ended doesn't matter any more
}

// kill ends the process as a failing machine would.
func (p *process) kill() error {
	if err := p.command.Process.Kill(); err != nil {
		return err
	}
	p.stop()
	return nil
}

// begin reads the parameters and returns what else is read, line by line.
func begin(in io.Reader, parameters any) (*bufio.Scanner, error) {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return nil, fmt.Errorf("no parameters: %w", io.ErrUnexpectedEOF)
	}
	return lines, json.Unmarshal(lines.Bytes(), parameters)
}
