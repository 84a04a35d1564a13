// Package checks reads the source of the library at the root of the module, and asks Go's tools
// about it.
package checks
