package breakit

const usage = `breakit runs a command and stops it when a limit is reached.

  breakit after 10m   -- COMMAND...    stop it when it has run for 10 minutes
  breakit until 18:00 -- COMMAND...    stop it at 18:00, today or tomorrow
  breakit idle 30s    -- COMMAND...    stop it after 30 seconds without output
{{limits}}  breakit ps                           list what runs under breakit

Limits can be combined; the first one that is reached counts:

  breakit after 1h idle 30s -- make all

Times:
  10m, 1h30m, 500ms, 2d                ms, s, m, h, d; a unit is needed
  18:00, 18:00:30, 2026-12-24T18:00    local time

Options, before the --:
  --grace TIME   how long the command may take to end by itself once it was
                 told to, before it is killed (10s; 0s kills it at once)
{{flags}}  -h, --help     show this

Everything after -- is the command. breakit ends it with SIGTERM, and then
kills it with SIGKILL, together with everything that it has started, unless
that has left its process group. Signals sent to breakit go on to the command,
and in a terminal Ctrl-C and Ctrl-Z work as usual.

Exit code: 124 if a limit was reached, 125 if breakit has failed, 126 if the
command can't be run, 127 if there is none, 128+n if signal n has ended it,
or else the command's own.

With idle the output goes through a pipe: many programs then use no color and
print in larger pieces. Lists for ps are kept in $XDG_RUNTIME_DIR/breakit, or
in breakit-UID in the directory for temporary files.
`
