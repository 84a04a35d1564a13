/*
 * What follows from a trip, and in what order: several trips at once in one graph of breakers that
 * listen to each other and own each other (promises 9, 10 and 18).
 * Models settle.go: tripAll, tripDependents, followLost, closeOwned, settleAtOnce, releaseNode, releasesAtOnce,
 * runCallbacks; NextLink, Put and Take of internal/registry as far as links go; listen and follow of
 * multiplex.go; endAttaching and handOver of source.go. README.md says which lines stand for which;
 * the rules for what is one step are those of breaker.pml.
 *
 * A claim and the publication are as breaker.pml has shown them to be: here they are two steps,
 * with Done closed at the second. The slots of a breaker are a set of links, and a sweep looks at
 * each place in turn, in the order of the numbers: which slot a link is in depends on an address,
 * so that the graphs are such, or have their numbers so, that this loses nothing but symmetry.
 */

#ifndef T
#define T 2 /* goroutines that trip, each any of the breakers that are there */
#endif
#ifndef GRAPH
#define GRAPH 0
#endif
#ifndef LATE
#define LATE 0 /* the last breaker is made by a goroutine, while the others trip */
#endif

/* Phases, and flags. */
#define OPEN 0
#define CLAIMED 1
#define TRIPPED 2
#define CLOSED 3
#define PHASE 3
#define SETTLED 2
#define BUSY 4 /* flagAttaching */
#define LEFT 8 /* flagHandedOver */

#define bitOf(b) (1 << (b))

/* GRAPH: who listens to whom, from the first to the last, and what is owned. */
#if GRAPH == 0 /* a chain: 0 <- 1 <- 2 <- 3 */
#define N 4
#define graph listens[1] = bitOf(0); listens[2] = bitOf(1); listens[3] = bitOf(2)
#elif GRAPH == 1 /* 2 listens to 0 and owns 1, and 3 listens to 1 */
#define N 4
#define graph listens[2] = bitOf(0) | bitOf(1); owns[2] = bitOf(1); listens[3] = bitOf(1)
#elif GRAPH == 2 /* a diamond: 1 and 2 listen to 0, and 3 to both */
#define N 4
#define graph listens[1] = bitOf(0); listens[2] = bitOf(0); listens[3] = bitOf(1) | bitOf(2)
#elif GRAPH == 3 /* two owners of one: 2 listens to 0, 3 to 1, and both own 4, to which 5 listens */
#define N 6
#define graph listens[2] = bitOf(0) | bitOf(4); owns[2] = bitOf(4); listens[3] = bitOf(1) | bitOf(4); owns[3] = bitOf(4); listens[5] = bitOf(4)
#elif GRAPH == 4 /* the smallest in which somebody is made late: 1 listens to 0, 2 to both */
#define N 3
#define graph listens[1] = bitOf(0); listens[2] = bitOf(0) | bitOf(1)
#endif
byte listens[N]; /* its sources */
byte owns[N];    /* those of them that it owns */

byte word[N];
byte slots[N]; /* the links that are registered with it */
byte callback; /* the breakers with a callback */
#define phaseOf(b) (word[b] & PHASE)
#define isRegistryEmpty(b) (slots[b] == 0 && !(callback & bitOf(b)))

/* For the properties. */
byte attached; /* those whose constructor has returned */
byte had;      /* those that had a callback at the beginning */
byte ran;      /* those whose callback has run */
byte winner[N];
byte finished;
#define DEPTH N

/* What a settlement knows: nodes in its lists, as sets. It is the process's own. */
#define lists byte followed, owners, settled, released, lost, seen, b, n, k; bit won, here

/* Breaker.claim, by the process me. */
inline claim(x)
{
	d_step {
		won = (phaseOf(x) == OPEN);
		if
		:: won -> word[x] = word[x] | CLAIMED; winner[x] = me
		:: else
		fi
	}
}

/* Breaker.publish, in which Done is closed. */
inline publish(x)
{
	d_step { assert(phaseOf(x) == CLAIMED); word[x] = word[x] & ~PHASE | TRIPPED }
}

#define awaitDone(x) (word[x] & SETTLED)

/* Whatever x holds, one link after the other. Only the winner does it, or the attacher for him. */
inline dropLinks(x)
{
	assert(!(word[x] & BUSY));
	do
	:: k < N && !(listens[x] & bitOf(k)) -> k++
	:: k < N && (listens[x] & bitOf(k)) -> d_step { slots[k] = slots[k] & ~bitOf(x); k++ }
	:: k == N -> k = 0; break
	od
}

/* settleAtOnce, for what owns nothing. */
#ifdef BUG_AT_ONCE_WITHOUT_LOOK /* what depends on it isn't tripped */
#define mayAtOnce(x) (owns[x] == 0 && !(word[x] & BUSY) && !(callback & bitOf(x)))
#else
#define mayAtOnce(x) (owns[x] == 0 && !(word[x] & BUSY) && isRegistryEmpty(x))
#endif

/* After a won claim: publish, and on to the list of those whose dependents are to be tripped. */
inline take(x)
{
	publish(x);
	if
	:: mayAtOnce(x) ->
		dropLinks(x);
		word[x] = word[x] | CLOSED
	:: !mayAtOnce(x) -> followed = followed | bitOf(x)
	fi
}

/* settlement.followLost. The two loads of the state and the registry are one: both only go one way. */
inline lose(x)
{
#ifndef BUG_LOST_NOT_AWAITED /* its Done may be open when callbacks run */
	awaitDone(x);
#endif
#ifndef BUG_LOST_NOT_FOLLOWED /* what depends on it is left to him who trips it */
	d_step {
		if
		:: phaseOf(x) != CLOSED && !isRegistryEmpty(x) && !(seen & bitOf(x)) ->
			seen = seen | bitOf(x);
			lost = lost | bitOf(x)
		:: else
		fi
	}
#endif
}

/* settlement.tripDependents, with sweep.nextLink: links stay in their slots. */
inline tripDependents(x)
{
	do
	:: n < N && !(slots[x] & bitOf(n)) -> n++
#ifdef BUG_LINKS_TAKEN /* as the sweep of callbacks: another trip doesn't see what isn't done yet */
	:: d_step { n < N && (slots[x] & bitOf(n)) -> slots[x] = slots[x] & ~bitOf(n) };
#else
	:: n < N && (slots[x] & bitOf(n)) ->
#endif
		claim(n);
		if
		:: won ->
			won = 0;
			take(n);
#ifdef BUG_LINK_DROPPED_EARLY /* it is out of its slot before what depends on it has been tripped */
			slots[x] = slots[x] & ~bitOf(n)
#endif
		:: !won -> lose(n)
		fi;
		n++
	:: n == N -> n = 0; break
	od
}

/* settlement.closeOwned. What is lost is followed as in tripDependents. */
inline closeOwned(x)
{
	do
	:: n < N && !(owns[x] & bitOf(n)) -> n++
	:: n < N && (owns[x] & bitOf(n)) ->
		claim(n);
		if
		:: won -> won = 0; publish(n); followed = followed | bitOf(n)
#ifdef BUG_OWNED_LOST_NOT_FOLLOWED
		:: !won -> awaitDone(n)
#else
		:: !won -> lose(n)
#endif
		fi;
		n++
	:: n == N -> n = 0; break
	od
}

/* The next of a set, any: the lists have an order of their own, on which nothing depends. */
inline pop(set)
{
	atomic {
		do
		:: (set >> (b + 1)) != 0 -> b++
		:: (set & bitOf(b)) -> set = set & ~bitOf(b); break
		od
	}
}

/*
 * A callback of x runs. Everything that follows from x has tripped: whoever listens, at any depth,
 * and what is owned by those that this very trip has tripped (promise 18).
 */
inline runCallback(x)
{
	d_step {
		assert(!(ran & bitOf(x)) && (word[x] & SETTLED)); /* promise 6 */
		ran = ran | bitOf(x);
		callback = callback & ~bitOf(x);
		need = bitOf(x);
		for (k : 1 .. DEPTH) {
			for (n : 0 .. N - 1) {
				if
				:: (attached & bitOf(n)) && (listens[n] & need) -> need = need | bitOf(n)
				:: else
				fi;
				if
				:: (attached & bitOf(n)) && (need & bitOf(n)) && (word[n] & SETTLED) && winner[n] == winner[x] -> need = need | owns[n]
				:: else
				fi
			}
		}
		for (n : 0 .. N - 1) {
			assert(!(need & bitOf(n)) || !(attached & bitOf(n)) || (word[n] & SETTLED))
		}
		need = 0;
		n = 0;
		k = 0
	}
}

/* finish, of one breaker: the callbacks, then the handshake with the attacher, then closed. */
inline finish(x)
{
	if
	:: (callback & bitOf(x)) -> runCallback(x)
	:: !(callback & bitOf(x))
	fi;
	if
#ifndef BUG_NO_HANDSHAKE
	:: d_step { (word[x] & BUSY) -> word[x] = word[x] | LEFT }
	:: !(word[x] & BUSY) ->
#else
	:: true ->
#endif
		dropLinks(x); /* also what was being attached at the time of releasing */
		word[x] = word[x] | CLOSED
	fi
}

/* settlement.run, from where settle begins, or follow. What b, n and k hold is 0 in between. */
inline settle(x)
{
	take(x);
	/* following, and closing */
	do
	:: followed != 0 ->
		pop(followed);
		tripDependents(b);
#ifdef BUG_CALLBACKS_EARLY /* only the breaker's own dependents have been tripped */
		if
		:: (callback & bitOf(b)) -> runCallback(b)
		:: !(callback & bitOf(b))
		fi;
#endif
		atomic {
			if
			:: owns[b] != 0 -> owners = owners | bitOf(b)
			:: else -> settled = settled | bitOf(b)
			fi;
			b = 0
		}
	:: followed == 0 && lost != 0 ->
		pop(lost);
		tripDependents(b);
		b = 0
	:: followed == 0 && lost == 0 && owners != 0 ->
		pop(owners);
		settled = settled | bitOf(b);
		closeOwned(b);
		b = 0
	:: followed == 0 && lost == 0 && owners == 0 -> break
	od;
	/* releasing */
	do
	:: settled != 0 ->
		pop(settled);
		if
		:: (word[b] & BUSY) -> released = released | bitOf(b) /* whoever comes last drops the links */
		:: !(word[b] & BUSY) ->
			here = (callback & bitOf(b)) != 0; /* releasesAtOnce */
			dropLinks(b);
			if
			:: here -> released = released | bitOf(b)
			:: !here -> word[b] = word[b] | CLOSED
			fi;
			here = 0
		fi;
		b = 0
	:: settled == 0 -> break
	od;
	/* finishing */
	do
	:: released != 0 ->
		pop(released);
		finish(b);
		b = 0
	:: released == 0 -> break
	od;
	seen = 0
}

/* Trip or Close of any breaker that is there. */
proctype Tripper(byte me)
{
	lists;
	byte need, x;

	atomic {
		do
		:: (attached >> (x + 1)) != 0 -> x++
		:: (attached & bitOf(x)) -> break
		od;
		claim(x)
	};
	if
	:: won -> won = 0; settle(x)
	:: !won -> awaitDone(x)
	fi;
	atomic { x = 0; finished++ };
end:	false
}

#if LATE
/* A constructor: newNode.begin, listenToAll, attached. */
proctype Attacher(byte me)
{
	lists;
	byte need, x, s;
	bit late;

	x = N - 1;
	do
	:: s < N && !(listens[x] & bitOf(s)) -> s++
	:: s < N && (listens[x] & bitOf(s)) ->
		/* register */
		if
		:: phaseOf(s) != OPEN -> late = 1
		:: phaseOf(s) == OPEN ->
			slots[s] = slots[s] | bitOf(x);
#ifndef BUG_NO_RECHECK
			if
			:: phaseOf(s) == OPEN
			:: d_step { phaseOf(s) != OPEN ->
				assert(slots[s] & bitOf(x)); /* nobody takes it out as long as this is attaching */
				slots[s] = slots[s] & ~bitOf(x);
				late = 1 }
			fi
#endif
		fi;
		/* listen, and follow */
		if
		:: late ->
			late = 0;
			awaitDone(s);
			claim(x);
			if
			:: won -> won = 0; settle(x)
			:: !won
			fi;
			break
		:: !late && phaseOf(x) != OPEN -> break
		:: !late && phaseOf(x) == OPEN -> s++
		fi
	:: s == N -> break
	od;
	/* attached */
	atomic { late = (word[x] & LEFT) != 0; word[x] = word[x] & ~BUSY };
	if
	:: late -> finish(x)
	:: !late
	fi;
#ifndef BUG_CONSTRUCTOR_LEAVES /* it returns while another trip is about to close Done, also if a source had tripped before */
	if
	:: phaseOf(x) == OPEN
	:: awaitDone(x)
	fi;
#endif
	atomic { attached = attached | bitOf(x); x = 0; s = 0; late = 0; finished++ };
end:	false
}
#endif

#define ALL (T + LATE)

/* When all have returned. */
proctype Final()
{
	byte n, k;

	d_step {
		finished == ALL ->
		for (n : 0 .. N - 1) {
			assert(!(word[n] & BUSY));
			assert(phaseOf(n) == OPEN || phaseOf(n) == CLOSED);
			assert((phaseOf(n) == CLOSED && (had & bitOf(n))) == ((ran & bitOf(n)) != 0)); /* promise 6 */
			for (k : 0 .. N - 1) {
				/* promise 9: what it listens to has tripped, or what it is owned by */
				assert(!(listens[n] & bitOf(k)) || phaseOf(k) == OPEN || phaseOf(n) == CLOSED);
				assert(!(owns[n] & bitOf(k)) || phaseOf(n) == OPEN || phaseOf(k) == CLOSED);
				/* promise 10: a link is there iff both are open */
				assert(!(listens[n] & bitOf(k)) || ((slots[k] & bitOf(n)) != 0) == (phaseOf(n) == OPEN))
			}
		}
		n = 0;
		k = 0
	};
end:	false
}

init
{
	byte i, j;

	atomic {
		graph;
		for (i : 0 .. N - 1 - LATE) {
			attached = attached | bitOf(i);
			for (j : 0 .. N - 1) {
				if
				:: listens[i] & bitOf(j) -> slots[j] = slots[j] | bitOf(i)
				:: else
				fi
			}
			if /* a callback, or none */
			:: callback = callback | bitOf(i)
			:: skip
			fi
		}
		had = callback;
		i = 0;
		j = 0;
		for (i : 1 .. T) { run Tripper(i) }
#if LATE
		word[N - 1] = BUSY;
		run Attacher(T + 1);
#endif
		run Final();
		i = 0
	};
end:	false
}

/* Whoever trips, or makes a breaker, returns: nobody awaits one who awaits him. */
ltl returns { <> (finished == ALL) }
