// Command breakit is cmd/breakit with the keys of a cluster: one trip ends a command on every
// machine.
//
//	export BREAKIT_STORE=nats://nats.internal:4222
//
//	breakit --key jobs/1 -- import big.csv         # on every machine
//	breakit trip --key jobs/1 wrong file           # on any machine
//
// All limits, options and exit codes of cmd/breakit are there, too, and can be combined with a key:
//
//	breakit --key jobs/1 after 1h idle 30s -- import big.csv
//
// # What a key does
//
// When the key is set, the command is stopped as at any other limit: SIGTERM for its process group,
// SIGKILL after the grace. The exit code is 124. Standard error says which process has set the key,
// and why. If the key is set already, the command isn't started, and the exit code is 124, too.
//
// If the store can't say within 10 seconds whether the key is set, the command isn't started, and
// the exit code is 125.
//
// # When the store is lost
//
// The command goes on, and breakit reports that once. It is stopped when the store is back and the
// key is set. With --silence TIME it is also stopped if there was no contact for that long. Use
// that for commands that must not run while they can't be told to stop.
//
// # Stores
//
//	nats://HOST:4222       tls:// with TLS; hosts with commas  name is a bucket
//	etcd://HOST:2379       etcds:// with TLS; hosts with commas  name is a prefix
//	postgres://HOST/DB     as libpq reads it                   name is a table
//	redis://HOST:6379/0    rediss:// with TLS                  name is a part of the keys
//
// Users and passwords go where they go in any URL: user:password@HOST. After a question mark:
//
//	name=NAME              what holds the keys; breakit by default
//	creds=FILE             of a NATS user
//	ca=FILE                the authority that signed the server's certificate, for NATS and etcd
//	cert=FILE&key=FILE     the client's certificate, for NATS and etcd
//
// PostgreSQL and Redis have more parameters of their own, such as sslmode.
//
// Every user of the machine can see a URL on the command line. They can't see the variable
// BREAKIT_STORE, which the command inherits.
//
// NATS needs a bucket and PostgreSQL a table. Create it once for all machines:
//
//	breakit init --store postgres://admin@db/jobs
//
// # Trip
//
// breakit trip returns when the key is set. The first trip of a key wins. A later one prints the
// cause that is set, and succeeds, too. A key expires after a day, or after --ttl. Then commands
// with that key start again. Programs set and watch the same keys by package breakercluster.
package main
