//go:build dragonfly || freebsd || netbsd || openbsd

package breakit

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }

// openTerminal pretends that there is none: package syscall has nothing here that tells that a
// command has stopped and never reaps it, and breakit has to know, because it lends the terminal.
func openTerminal() *terminal { return nil }

type terminal struct{ lent bool }

func (*terminal) lend(int) bool { return false }

func (*terminal) has(int) bool { return false }

func (*terminal) takeBack(bool) {}

func isTerminal(any) bool { return false }

func stoppedBy(int) (syscall.Signal, bool) { return 0, false }

func defaultAction(syscall.Signal) (restore func()) { return nil }
