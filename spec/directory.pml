/*
 * The blocks of the directory: claiming a slot, sealing, giving up, making again, growing and shrinking, and the sweep.
 * Models directory.claim, takeBack, left, resize, giveUp and block, and Put, Take and register as far as they come here
 * (internal/registry). README.md says which lines stand for which; the rules for what is one step are those of
 * breaker.pml.
 *
 * When to grow, which block is crowded, and when to shrink is a matter of figures, which no promise depends on: here a search
 * that fails may double the span or not, whoever leaves may look at his block or not where only crowding decides, and if he
 * looks he may halve the span or not.
 */

#ifndef S
#define S 3 /* goroutines that register, perhaps stop, and begin again */
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* how often each of them registers at most */
#endif
#ifndef NUMBERS
#define NUMBERS 2 /* places in the directory: the largest span; the smallest is 1 */
#endif
#ifndef SLOTS
#define SLOTS 2 /* in a block, 1 or 2; there are no more than NUMBERS blocks, which leaves less room than Go's */
#endif
#ifndef TRIP
#define TRIP 1 /* whether the breaker trips */
#endif
#ifndef EAGER
#define EAGER 0 /* for liveness: a search misses no free slot, and doubles the span when it fails */
#endif

bit tripped;
byte span;

/*
 * Blocks have a number, their place in the directory; a block that is made again is another one. It takes the first
 * of the indices kept for its number that isn't in the directory and that nobody holds: so what is new is what can be told
 * to be new. Block b has the number b % NUMBERS.
 */
#define SPARE (S + 1)
#define BLOCKS (NUMBERS * SPARE)
#define NONE 255
#define numberOf(b) ((b) % NUMBERS)
byte at[NUMBERS]; /* which block stands in the directory, or NONE */
bit sealed[BLOCKS];
byte slot[BLOCKS * SLOTS];
#define slotOf(b, k) slot[(b) * SLOTS + (k)]

/* The blocks that a goroutine holds: the one it looks at, or is registered in, and the one that it is giving up. Local in Go. */
byte mine[S];
byte other[S];
byte sweeping; /* the one that the sweep is at */

/* For the properties. */
byte inside;  /* those whose claim has returned, and who haven't been taken out */
byte pending; /* those who are registered, and neither stopped nor called */
byte over;    /* those who have been called, or have stopped */
byte finished;
byte begun;
#define bitOf(i) (1 << (i))

/* Whoever is inside is where a sweep will find him. This begins to be so, or ends, only where it is asserted. */
#define isInside(b, k) (slotOf(b, k) != 0 && (inside & bitOf(slotOf(b, k) - 1)))
#if SLOTS == 1
#define nobodyInside(b) (!isInside(b, 0))
#define isOccupied(b) (slotOf(b, 0) != 0)
#define isFull(b) isOccupied(b)
#else
#define nobodyInside(b) (!isInside(b, 0) && !isInside(b, 1))
#define isOccupied(b) (slotOf(b, 0) != 0 || slotOf(b, 1) != 0)
#define isFull(b) (slotOf(b, 0) != 0 && slotOf(b, 1) != 0)
#endif

/* A callback runs, or a stop returns true: only one of them, and once (promises 6 and 7). */
#define isOver(i) \
	assert(!(over & bitOf(i))); \
	over = over | bitOf(i); \
	pending = pending & ~bitOf(i); \
	inside = inside & ~bitOf(i)

/* block.freeFrom, isEmpty: slot by slot, from the given one on, up to the first that is taken. What follows is told at once. */
#define isEmpty(b, from, no, yes) \
	do \
	:: d_step { slotOf(b, (from + look) % SLOTS) != 0 -> look = 0; none = 0; no }; break \
	:: d_step { slotOf(b, (from + look) % SLOTS) == 0 && look < SLOTS - 1 -> look++ } \
	:: d_step { slotOf(b, (from + look) % SLOTS) == 0 && look == SLOTS - 1 -> look = 0; none = 1; yes }; break \
	od

/* directory.giveUp. The first look may find nothing to do; the second is at a block that nobody enters any more. */
inline giveUp(n)
{
	if
	:: at[n] == NONE
	:: d_step { at[n] != NONE -> other[i] = at[n] };
		do
		:: d_step { n < span -> other[i] = NONE; none = 0 }; break /* wanted again: or he who takes back and he who gives up keep each other going */
		:: n >= span -> isEmpty(other[i], 0, other[i] = NONE, skip);
			if
			:: !none -> break
			:: none ->
#ifndef BUG_GIVE_UP_UNSEALED /* who enters it meanwhile isn't told */
				if
#ifdef BUG_SEAL_BY_STORE /* two seal it, and when the first unseals it the second doesn't know */
				:: sealed[other[i]] == 0 -> sealed[other[i]] = 1
#else
				:: d_step { sealed[other[i]] == 0 -> sealed[other[i]] = 1 }
#endif
				:: d_step { sealed[other[i]] == 1 -> other[i] = NONE; none = 0 }; break /* he who seals it looks again */
				fi;
#endif
#ifndef BUG_SEAL_WITHOUT_LOOK /* who entered it before it was sealed, and after the first look, isn't seen */
				isEmpty(other[i], 0, skip, skip);
#endif
				if
				:: none ->
					if /* it is there, as only one seals it for good; but then the algorithm doesn't have to know */
					:: d_step { at[n] == other[i] -> assert(nobodyInside(other[i])); at[n] = NONE; other[i] = NONE; none = 0 }
					:: d_step { at[n] != other[i] -> other[i] = NONE; none = 0 }
					fi;
					break
				:: !none ->
#if defined(BUG_SEALED_STAYS) /* nobody will ever give it up */
					other[i] = NONE; break
#elif defined(BUG_NO_LAST_LOOK) /* who left while it was sealed relies on this one */
					d_step { sealed[other[i]] = 0; other[i] = NONE }; break
#else
					sealed[other[i]] = 0
#endif
				fi
			fi
		od
	fi
}

/* giveUp of all numbers that a smaller span has no use for */
inline giveUpRest(sp, n)
{
	n = sp / 2;
	do
	:: n < sp -> giveUp(n); n++
	:: else -> break
	od
}

#ifdef BUG_SPAN_EARLY /* a span that is halved after that, and before he is out of the slot, isn't seen */
#define spanSeen early
#else
#define spanSeen span
#endif

/*
 * directory.left, for slot k of mine[i]. Once span is read, it needn't be read again: whoever has made it smaller since looks
 * at the block.
 */
inline left(k)
{
	if
	:: numberOf(mine[i]) < spanSeen /* wanted, and not crowded */
#ifdef BUG_NOT_LOOKED /* a block that isn't wanted is left as it is, if it isn't crowded */
	:: true
#endif
	:: sp = span;
		isEmpty(mine[i], k, skip, skip);
		if
		:: none && numberOf(mine[i]) >= sp -> giveUp(numberOf(mine[i]))
		:: !none || numberOf(mine[i]) < sp
		fi;
		if
		:: sp > 1 ->
#ifdef BUG_SHRINK_ORDER /* whoever leaves after the look at his block, and before span is written, sees the old span */
			giveUpRest(sp, n);
#endif
			if
			:: atomic { span == sp -> span = sp / 2 }; /* resize */
#ifndef BUG_SHRINK_ORDER
				giveUpRest(sp, n)
#endif
			:: span != sp
			fi
		:: true
		fi;
		atomic { none = 0; sp = 0; n = 0 }
	fi
}

/* directory.block: load, or make and swap, in which the loser takes what the winner made */
inline block(place, held, b)
{
	d_step {
		place = place % searched;
		mine[i] = NONE;
		if
		:: at[place] == NONE ->
			b = place;
			do
			:: held = 0;
				do
				:: held < S && (mine[held] == b || other[held] == b) -> break
				:: held < S && mine[held] != b && other[held] != b -> held++
				:: else -> break
				od;
				if
				:: held == S && sweeping != b -> break
				:: else -> b = b + NUMBERS; assert(b < BLOCKS)
				fi
			od;
			for (held : 0 .. SLOTS - 1) { assert(slotOf(b, held) == 0) } /* nothing is in what has been forgotten */
			sealed[b] = 0;
			at[place] = b;
			held = 0;
			b = 0
		:: else
		fi;
		mine[i] = at[place]
	}
}

proctype Subscriber(byte i)
{
	byte round;
	byte searched, number, tries; /* directory.claim: span, number, and how many blocks it has tried */
	byte k;                       /* index of the registration */
	byte sp, n, look;             /* left, giveUpRest, isEmpty */
	bit none;
#ifdef BUG_SPAN_EARLY
	byte early = 255;
#endif

again:
	/* register. In the order of their numbers, as in breaker.pml. */
	if
	:: d_step { begun >= i && !tripped -> begun = (begun == i -> i + 1 : begun); over = over & ~bitOf(i) }
	:: d_step { begun >= i && tripped -> begun = (begun == i -> i + 1 : begun); over = over | bitOf(i) }; goto done /* late */
	fi;
	/* directory.claim */
	do
	:: atomic {
			searched == 0 ->
			searched = span;
			do /* the address says where to begin: anywhere */
			:: number < searched - 1 -> number++
			:: break
			od
		}
	:: searched > 0 && tries < NUMBERS ->
		block(number, k, n);
		/*
		 * block.claim. It begins anywhere: so whatever it finds free it may have found at once, and when it fails, it may have
		 * seen nothing but one slot that is taken.
		 */
		if
		:: atomic {
				!isFull(mine[i]) ->
				do
				:: slotOf(mine[i], k) == 0 -> slotOf(mine[i], k) = i + 1; break
				:: k < SLOTS - 1 && slotOf(mine[i], SLOTS - 1) == 0 -> k++
				od
			};
			/* Dekker against giveUp */
			if
#ifdef BUG_SEAL_UNSEEN /* the block may be forgotten, so that no sweep comes by */
			:: inside = inside | bitOf(i); break
#else
			:: d_step { sealed[mine[i]] == 0 -> inside = inside | bitOf(i); assert(at[numberOf(mine[i])] == mine[i]) }; break
			:: sealed[mine[i]] == 1 ->
				/* takeBack */
				if
#ifdef BUG_TAKE_BACK_BY_STORE /* the sweep may have found it */
				:: slotOf(mine[i], k) = 0; left(k)
#elif defined(BUG_TAKEN_BACK_STAYS) /* who takes back may be the last to leave */
				:: d_step { slotOf(mine[i], k) == i + 1 -> slotOf(mine[i], k) = 0 }
#else
				:: d_step { slotOf(mine[i], k) == i + 1 -> slotOf(mine[i], k) = 0 }; left(k)
#endif
				:: slotOf(mine[i], k) != i + 1 -> break /* the sweep has found it: it was registered */
				fi
#endif
			fi;
			atomic { tries++; number++; k = 0 }
		:: d_step { (EAGER -> isFull(mine[i]) : isOccupied(mine[i])) -> tries++; number++ }
		fi
	:: searched > 0 && tries == NUMBERS ->
		if
		:: d_step { searched < NUMBERS && span == searched -> span = 2 * searched; searched = 0; number = 0; tries = 0 }
		:: d_step { !EAGER || searched == NUMBERS || span != searched -> searched = 0; number = 0; tries = 0 }
		fi
	od;
	/* register: Dekker against the trip */
	if
#ifdef BUG_NO_RECHECK
	:: d_step { pending = pending | bitOf(i) & ~over; searched = 0; number = 0; tries = 0 };
#else
	:: d_step { !tripped -> pending = pending | bitOf(i); searched = 0; number = 0; tries = 0 };
#endif
		if
		:: goto done /* keeps it */
		:: true /* stops */
		fi
#ifndef BUG_NO_RECHECK
	:: d_step { tripped -> searched = 0; number = 0; tries = 0 } /* takes it back: late */
#endif
	fi;
	/* unregister */
#ifdef BUG_SPAN_EARLY
	early = span;
#endif
	if
	:: d_step { slotOf(mine[i], k) == i + 1 -> slotOf(mine[i], k) = 0; isOver(i) }; left(k)
	:: slotOf(mine[i], k) != i + 1 /* the sweep was faster */
	fi;
	if
	:: d_step { round < ROUNDS - 1 -> round++; k = 0; mine[i] = NONE }; goto again
	:: round == ROUNDS - 1
	fi;
done:
	atomic { mine[i] = NONE; k = 0; round = 0; finished++ };
end:	false
}

/* The claim, and sweep.next as far as it goes through the directory. */
proctype Tripper()
{
	byte n, k, r;

	tripped = 1;
	do
	:: n < NUMBERS ->
		if
		:: d_step { at[n] == NONE -> n++ }
		:: d_step { at[n] != NONE -> sweeping = at[n] };
			do
			:: d_step {
					k < SLOTS ->
					r = slotOf(sweeping, k);
					if
					:: r != 0 -> slotOf(sweeping, k) = 0; isOver(r - 1)
					:: else
					fi;
					r = 0;
					k++
				}
			:: d_step { k == SLOTS -> n++; k = 0; sweeping = NONE }; break
			od
		fi
	:: n == NUMBERS -> break
	od;
	atomic { n = 0; finished++ };
end:	false
}

/* When all have returned. */
proctype Final()
{
	byte n;

	d_step {
		finished == S + TRIP;
		assert(!tripped || pending == 0 && over == (1 << S) - 1); /* promise 6: none is lost */
		do
		:: n < NUMBERS ->
			/*
			 * Nobody is kept out for ever, and what is empty and not wanted any more has been given up. (After a trip, that
			 * doesn't matter: who is swept doesn't look at his block.)
			 */
			if
			:: at[n] != NONE ->
				assert(!sealed[at[n]]);
				assert(tripped || n < span || isOccupied(at[n]))
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	};
end:	false
}

init
{
	byte i;

	atomic {
		span = 1; /* what came before */
		do
		:: span < NUMBERS -> span = 2 * span
		:: break
		od;
		for (i : 0 .. NUMBERS - 1) { at[i] = NONE }
		for (i : 0 .. BLOCKS - 1) { sealed[i] = 1 }
		for (i : 0 .. S - 1) {
			mine[i] = NONE;
			other[i] = NONE;
			run Subscriber(i)
		}
		sweeping = NONE;
#if TRIP
		run Tripper();
#endif
		run Final();
		i = 0
	};
end:	false
}

/* Every registering, stopping and sweeping ends. */
ltl ends { <> (finished == S + TRIP) }
