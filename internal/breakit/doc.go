// Package breakit is what the breakit commands have in common. The one in cmd/breakit has nothing
// else; the one in breakercluster/cmd/breakit adds the keys of a cluster.
//
//	func main() { os.Exit(breakit.Main(os.Args[1:], breakit.Extension{})) }
//
// To add limits, give an Extension: options that are read with the command line, and breakers that
// are made before the command starts.
package breakit
