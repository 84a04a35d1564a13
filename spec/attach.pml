/*
 * Who listens to what: attaching against the trip, and the hub with its watches.
 * Models beginAttaching and listen in multiplex.go, endAttaching and handOver in source.go, tripDependents, release and runCallbacks in
 * settle.go, all of internal/hub, and the watches of signal.go, or of channel.go with -DCHANNEL.
 * README.md says which lines stand for which; the rules for what is one step are those of breaker.pml.
 *
 * A trip is as breaker.pml has shown it to be: here claim and publication are one step, and so is all that register and
 * unregister do with slots before and after the look at the state.
 */

#ifndef N
#define N 3 /* nodes, each made by a goroutine, or, with CHANNEL, first waited for */
#endif
#ifndef C
#define C 2 /* goroutines that close one of them */
#endif
#ifndef L
#define L 1 /* links of each node: so many signals, each with a key of its own in the hub */
#endif
#ifndef V
#define V 1 /* arrivals of each signal */
#endif
#define WATCHES (N * L) /* no join makes more than one */
#define NONE 255

/* Nodes. */
#define OPEN 0
#define TRIPPED 2
#define CLOSED 3
#define PHASE 3
#define BUSY 4 /* flagAttaching */
#define LEFT 8 /* flagHandedOver */
byte word[N];
byte link[N * L]; /* link.source: a watch, or NONE */
#define linkOf(n, l) link[(n) * L + (l)]
#define phaseOf(n) (word[n] & PHASE)

/* Watches, and the hub. Watch w has the key w % L. */
bit fired[WATCHES]; /* it isn't open any more */
byte refs[WATCHES];
byte slots[WATCHES]; /* the nodes registered with it; how they find their slots is in breaker.pml */
byte arrived[WATCHES]; /* what is in its channel: 0, or which arrival */
bit on[WATCHES]; /* the delivery: signal.Notify has been called, signal.Stop has not */
bit quit[WATCHES];
bit running[WATCHES]; /* its goroutine has left the wait */
byte hub[L];
byte madeFor[L];
bit mu;
#ifdef CHANNEL
bit ended[L]; /* the channel has been closed */
#define comes(w) ended[w % L]
#else
#define comes(w) (arrived[w] != 0)
#endif

/* For the properties. */
byte attached;    /* nodes whose constructor, or first wait, has returned */
byte released;    /* nodes that have been released */
byte due;         /* nodes that were attached and open at an arrival, and have not tripped */
byte spent;       /* arrivals that have tripped a node */
byte before[N];   /* those of them which had when the node was being made */
byte begun;
#define bitOf(i) (1 << (i))

/* watch.remove */
inline remove(w)
{
	if
	:: hub[w % L] == w -> hub[w % L] = NONE
	:: else
	fi
}

/* watch.leave and its stop. A channel's stop waits until the goroutine is out. */
inline leave(w)
{
	atomic { refs[w]--; last = (refs[w] == 0) };
	if
	:: last ->
		last = 0;
#ifndef BUG_NOT_REMOVED
		d_step { remove(w) };
#endif
		d_step { assert(on[w] && !quit[w]); on[w] = 0; quit[w] = 1 };
#ifdef CHANNEL
		running[w]
#endif
	:: else
	fi
}

/* settlement.release, with link.drop, and becomeClosed. Only here does a link leave its slot, but for one that is late. */
inline dropLinks(n)
{
	j = 0;
	do
	:: j < L ->
		d_step {
			assert(!(word[n] & BUSY)); /* nobody writes the links any more */
			assert(!(released & bitOf(n)));
			w = linkOf(n, j);
			linkOf(n, j) = NONE;
			if
			:: w != NONE -> slots[w] = slots[w] & ~bitOf(n)
			:: else
			fi;
			j++
		};
		if
		:: w != NONE -> leave(w)
		:: else
		fi
	:: else -> break
	od;
	atomic { j = 0; w = NONE; won = 0; word[n] = word[n] | CLOSED; released = released | bitOf(n) }
}

/* handOver, or the release */
inline settle(n)
{
	if
#ifndef BUG_NO_HANDSHAKE
	:: d_step { (word[n] & BUSY) -> word[n] = word[n] | LEFT; won = 0 }
	:: !(word[n] & BUSY) -> dropLinks(n)
#else
	:: dropLinks(n)
#endif
	fi
}

/* Breaker.trip, by the arrival a, or by Close if that is 0 */
inline trip(n, a)
{
	d_step {
		if
		:: phaseOf(n) == OPEN ->
			word[n] = word[n] | TRIPPED;
			due = due & ~bitOf(n);
			assert(a == 0 || !(before[n] & bitOf(a))); /* promise 12: it was made before that arrival tripped another */
			spent = (a == 0 -> spent : spent | bitOf(a));
			won = 1
		:: else
		fi
	}
}

/* Map.Find of internal/hub. The load of refs and the swap are one: what has failed has only read. */
inline find(l, w)
{
	w = hub[l];
	if
	:: w != NONE ->
		if
#ifdef BUG_REFS_UP /* joins a watch that the last one has left */
		:: refs[w]++
#else
		:: d_step { refs[w] > 0 -> refs[w]++ }
		:: refs[w] == 0 -> w = NONE
#endif
		fi
	:: else
	fi
}

/* Map.Join */
inline join(l, w)
{
	find(l, w);
	if
	:: w == NONE ->
		atomic { !mu -> mu = 1; find(l, w) }; /* what the lock keeps out are others who make one */
		if
		:: w == NONE ->
#ifdef BUG_SHARED_BEFORE_ON /* others join it, and return, before signals are caught */
			d_step { w = l + L * madeFor[l]; madeFor[l]++; refs[w] = 1; hub[l] = w };
			on[w] = 1;
			mu = 0
#else
			d_step { w = l + L * madeFor[l]; madeFor[l]++; refs[w] = 1; on[w] = 1 };
			d_step { hub[l] = w; mu = 0 }
#endif
		:: else -> mu = 0
		fi
	:: else
	fi
}

/* A constructor; with CHANNEL, the first who waits for a breaker that has been made before. */
proctype Attacher(byte n)
{
	byte l, w = NONE, j, a;
	bit won, last, late;

	/* Nodes are alike: they begin in the order of their numbers, as the subscribers in breaker.pml. */
	if
#ifdef CHANNEL
	:: d_step { begun == n && phaseOf(n) != OPEN -> begun++ }; goto end
#endif
	:: d_step { begun == n && phaseOf(n) == OPEN -> begun++; word[n] = BUSY; before[n] = spent }
	fi;
	do
	:: l < L ->
		join(l, w);
		linkOf(n, l) = w;
		/* register */
		if
		:: fired[w] -> late = 1
		:: !fired[w] ->
			slots[w] = slots[w] | bitOf(n);
#ifndef BUG_NO_RECHECK
			if
			:: !fired[w]
			:: d_step { fired[w] && (slots[w] & bitOf(n)) -> slots[w] = slots[w] & ~bitOf(n); late = 1 }
			:: fired[w] && !(slots[w] & bitOf(n))
			fi
#endif
		fi;
		/* listen */
		if
		:: late ->
			late = 0;
			trip(n, arrived[w]);
			if
			:: won -> settle(n)
			:: else
			fi;
			break
		:: else ->
			if
			:: phaseOf(n) == OPEN -> l++
			:: phaseOf(n) != OPEN -> break
			fi
		fi
	:: else -> break
	od;
	/* attached */
	atomic {
		late = (word[n] & LEFT) != 0;
		word[n] = word[n] & ~BUSY;
		attached = attached | bitOf(n);
		l = 0;
		w = NONE;
		won = 0
	};
#ifndef BUG_LEFT_UNSEEN
	if
	:: late -> dropLinks(n)
	:: else
	fi;
#endif
	late = 0;
end:	false
}

/* Close: of any node, with CHANNEL at any time, else once its constructor has returned. Or never. */
proctype Closer()
{
	byte n, w = NONE, j;
	bit won, last;

	if
	:: true -> goto end
	:: atomic {
			do
			:: n < N - 1 -> n++
			:: break
			od;
#ifndef CHANNEL
			(attached & bitOf(n));
#endif
			trip(n, 0)
		}
	fi;
	if
	:: won -> settle(n)
	:: else
	fi;
	n = 0;
end:	false
}

/* The goroutine of a watch. It trips all nodes that it finds, then releases those that it has won, one after the other. */
proctype Watch(byte me)
{
	byte n, w = NONE, j, list;
	bit won, last;

end0:	if
	:: d_step { on[me] && comes(me) -> running[me] = 1 }
	:: d_step { quit[me] -> running[me] = 1 }; goto end
	fi;
	/* fire */
#if defined(BUG_REMOVE_UNLOCKED) /* before it is stored: then it is stored for good */
	d_step { remove(me) };
#elif !defined(BUG_FIRE_BEFORE_REMOVE)
	atomic { !mu -> remove(me) };
#endif
	fired[me] = 1;
	do
	:: n < N ->
		if
		:: (slots[me] & bitOf(n)) -> /* it stays there until the node is released */
			trip(n, arrived[me]);
			atomic { list = list | (won << n); won = 0 }
		:: !(slots[me] & bitOf(n))
		fi;
		n++
	:: else -> break
	od;
	n = 0;
	do
	:: n < N ->
		if
		:: (list & bitOf(n)) -> settle(n)
		:: else
		fi;
		n++
	:: else -> break
	od;
#ifdef BUG_FIRE_BEFORE_REMOVE
	atomic { !mu -> remove(me) };
#endif
	atomic { n = 0; list = 0 };
end:	false
}

/* A signal arrives: package os/signal puts it into the channels of all who want it, under its lock. Or a channel is closed. */
proctype Source(byte l)
{
	byte k, v;

	do
	:: v < V ->
		atomic {
			v++;
#ifdef CHANNEL
			ended[l] = 1;
#else
			for (k : 0 .. N - 1) {
				if
				:: on[l + L * k] && arrived[l + L * k] == 0 -> arrived[l + L * k] = v + V * l
				:: else
				fi
			}
#endif
			for (k : 0 .. N - 1) {
				if
				:: (attached & bitOf(k)) && phaseOf(k) == OPEN -> due = due | bitOf(k)
				:: else
				fi
			}
			k = 0
		}
	:: else -> break
	od;
	v = 0;
end:	false
}

/* In every state: what an open breaker waits for is being delivered (promise 12). */
#define deaf(n, l) ((attached & bitOf(n)) && phaseOf(n) == OPEN && linkOf(n, l) != NONE && !on[linkOf(n, l)])
proctype Watchdog()
{
#if L == 1 && N == 2
end:	d_step { deaf(0, 0) || deaf(1, 0) -> assert(false) }
#elif L == 1 && N == 3
end:	d_step { deaf(0, 0) || deaf(1, 0) || deaf(2, 0) -> assert(false) }
#elif L == 1 && N == 4
end:	d_step { deaf(0, 0) || deaf(1, 0) || deaf(2, 0) || deaf(3, 0) -> assert(false) }
#elif L == 2 && N == 2
end:	d_step { deaf(0, 0) || deaf(1, 0) || deaf(0, 1) || deaf(1, 1) -> assert(false) }
#elif L == 2 && N == 3
end:	d_step { deaf(0, 0) || deaf(1, 0) || deaf(2, 0) || deaf(0, 1) || deaf(1, 1) || deaf(2, 1) -> assert(false) }
#endif
}

/* When nothing moves any more. */
proctype Final()
{
	byte n, l, k;

	atomic {
		timeout;
		assert(due == 0); /* whoever was there when it arrived has been tripped */
		assert(!mu);
		for (n : 0 .. N - 1) {
			assert(!(word[n] & BUSY));
			assert(phaseOf(n) == OPEN || phaseOf(n) == CLOSED);
			assert(((released & bitOf(n)) != 0) == (phaseOf(n) == CLOSED)); /* released once, when tripped */
		}
		for (k : 0 .. WATCHES - 1) {
			/* refs counts those who are still there; with the last of them everything of the watch is gone */
			for (n : 0 .. N - 1) {
				for (l : 0 .. L - 1) {
					if
					:: linkOf(n, l) == k -> assert(phaseOf(n) == OPEN && refs[k] > 0); refs[k]--
					:: else
					fi
				}
				assert(phaseOf(n) == OPEN || !(slots[k] & bitOf(n)))
			}
			assert(refs[k] == 0);
			n = 0;
			l = 0
		}
		for (k : 0 .. WATCHES - 1) {
			if
			:: slots[k] == 0 -> assert(!on[k] && hub[k % L] != k)
			:: else -> assert(on[k])
			fi
		}
		k = 0
	};
end:	false
}

init
{
	byte i;

	atomic {
		for (i : 0 .. L - 1) { hub[i] = NONE }
		for (i : 0 .. N * L - 1) { link[i] = NONE }
		for (i : 0 .. N - 1) { run Attacher(i) }
#if C > 0
		for (i : 1 .. C) { run Closer() }
#endif
		for (i : 0 .. WATCHES - 1) { run Watch(i) }
		for (i : 0 .. L - 1) { run Source(i) }
		run Watchdog();
		run Final();
		i = 0
	};
end:	false
}

#define isTripped(n) (phaseOf(n) != OPEN)
#define isClosed(n) (phaseOf(n) == CLOSED)

/* Whoever is there when it arrives, trips. */
ltl trips { [] <> (due == 0) }
/* What has been tripped is released. */
ltl closes { [] ((isTripped(0) -> <> isClosed(0)) && (isTripped(1) -> <> isClosed(1))) }
