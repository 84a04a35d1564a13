/*
 * The blocks of the directory: admission, giving up, making again, shrinking, and the sweep.
 * Models directory.claim, emptied, resize, giveUp and block, and the part of unregister that counts (registry.go).
 * README.md says which lines stand for which; the rules for what is one step are those of breaker.pml.
 *
 * When to grow or shrink is a matter of figures, which no promise depends on: here every search that fails tries to
 * grow the span, and every block that becomes empty may halve it or not.
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
#define SLOTS 2 /* in a block; this is the limit, too, which leaves less room than Go's */
#endif
#ifndef TRIP
#define TRIP 1 /* whether the breaker trips */
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

/* Far below zero in Go: whoever counts up from it isn't admitted, and leaves it far below zero. */
#define GIVENUP 99
byte live[BLOCKS];
byte slot[BLOCKS * SLOTS];
#define slotOf(b, k) slot[(b) * SLOTS + (k)]

/* The blocks that a goroutine holds: the one it looks at, and the one that it is giving up. Local in Go. */
byte mine[S];
byte other[S];

/* For the properties. */
byte pending; /* those who are registered */
byte finished;
byte begun;
#define bitOf(i) (1 << (i))

/* directory.giveUp */
inline giveUp(n)
{
	other[i] = at[n];
	if
	:: other[i] != NONE ->
#if defined(BUG_GIVE_UP_BY_STORE) /* a load and a store: somebody may have been admitted in between */
		if
		:: live[other[i]] == 0 ->
			live[other[i]] = GIVENUP;
#elif defined(BUG_GIVE_UP_UNMARKED) /* who has found the block before will still be admitted */
		if
		:: live[other[i]] == 0 ->
#else
		if
		:: d_step { live[other[i]] == 0 -> live[other[i]] = GIVENUP };
#endif
			if
			:: d_step { at[n] == other[i] -> at[n] = NONE }
			:: at[n] != other[i]
			fi
		:: live[other[i]] != 0
		fi
	:: else
	fi;
	other[i] = NONE
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

/* directory.emptied, for mine[i] */
inline emptied(sp, n)
{
	sp = span;
	if
	:: sp > 1 ->
#ifdef BUG_SHRINK_ORDER /* whoever leaves after the look at his block, and before span is written, sees the old span */
		giveUpRest(sp, n);
#endif
		if
		:: d_step { span == sp -> span = sp / 2 }; /* resize */
#ifndef BUG_SHRINK_ORDER
			giveUpRest(sp, n)
#endif
		:: span != sp
		fi
	:: true /* as small as can be, or not yet to shrink, or the block was never filled */
	fi;
	atomic { n = 0; sp = 0 };
#ifndef BUG_NO_LAST_LOOK
	if
	:: numberOf(mine[i]) >= span -> giveUp(numberOf(mine[i]))
	:: numberOf(mine[i]) < span
	fi
#endif
}

/* A slot of the block, any that is free. Whoever has been admitted finds one whenever he looks. */
inline claimSlot(k)
{
	atomic {
		k = 0;
		do
		:: k < SLOTS && slotOf(mine[i], k) == 0 -> break
		:: k < SLOTS && slotOf(mine[i], k) != 0 -> k++
		:: k == SLOTS -> assert(false) /* admitted, and no free slot */
		od;
		slotOf(mine[i], k) = i + 1;
		n = 0;
		sp = 0;
		tries = 0
	}
}

/* One count less. If it was the last, the block is empty. */
inline countDown(last, sp, n)
{
	atomic { live[mine[i]]--; last = (live[mine[i]] == 0) };
	if
	:: last -> last = 0; emptied(sp, n)
	:: else
	fi
}

/* Breaker.unregister, for a slot of the directory */
inline unregister(k, last, sp, n)
{
#ifdef BUG_COUNT_FIRST /* somebody is admitted for a slot that isn't free yet */
	countDown(last, sp, n);
#endif
	if
	:: d_step { slotOf(mine[i], k) == i + 1 -> slotOf(mine[i], k) = 0; pending = pending & ~bitOf(i); k = 0 };
#ifndef BUG_COUNT_FIRST
		countDown(last, sp, n)
#endif
	:: d_step { slotOf(mine[i], k) != i + 1 -> k = 0 } /* the sweep was faster */
	fi;
	mine[i] = NONE
}

/* directory.block: load, or make and swap, in which the loser takes what the winner made */
inline block(n, held, b)
{
	d_step {
		n = n % sp;
		if
		:: at[n] == NONE ->
			b = n;
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
			for (held : 0 .. SLOTS - 1) { assert(slotOf(b, held) == 0) } /* nothing is in what has been dropped */
			live[b] = 0;
			at[n] = b;
			held = 0;
			b = 0
		:: else
		fi;
		mine[i] = at[n]
	}
}
byte sweeping; /* the block that the sweep is at */

proctype Subscriber(byte i)
{
	byte round, sp, n, k, m, tries;
	bit last;

	/* In the order of their numbers, as in breaker.pml. */
	d_step { begun == i -> begun++ };
again:
	if
	:: tripped -> goto done
	:: !tripped
	fi;
	/* directory.claim */
	do
	:: atomic {
			sp == 0 ->
			sp = span;
			do /* the address says where to begin: anywhere */
			:: n < sp - 1 -> n++
			:: break
			od
		}
	:: sp > 0 && tries < NUMBERS ->
		block(n, k, m);
		if
		:: live[mine[i]] < SLOTS || live[mine[i]] == GIVENUP ->
			if
#ifdef BUG_ADMIT_ALL
			:: d_step { live[mine[i]] != GIVENUP -> live[mine[i]]++ }; claimSlot(k); break
#else
			:: d_step { live[mine[i]] < SLOTS -> live[mine[i]]++ }; claimSlot(k); break
			:: d_step { live[mine[i]] >= SLOTS && live[mine[i]] != GIVENUP -> live[mine[i]]++ };
#if defined(BUG_REFUSED_STAYS) /* the refused doesn't count down */
				skip
#elif defined(BUG_REFUSED_LEAVES) /* the refused counts down, and if it was the last, nobody looks at the block */
				live[mine[i]]--
#else
				countDown(last, k, m)
#endif
#endif
			:: live[mine[i]] == GIVENUP -> /* help to take it out */
				if
				:: d_step { at[n] == mine[i] -> at[n] = NONE }
				:: at[n] != mine[i]
				fi
			fi
		:: live[mine[i]] >= SLOTS && live[mine[i]] != GIVENUP
		fi;
		atomic { tries++; n++; mine[i] = NONE }
	:: sp > 0 && tries == NUMBERS ->
		if
		:: d_step { sp < NUMBERS && span == sp -> span = 2 * sp }
		:: sp == NUMBERS || span != sp
		fi;
		atomic { sp = 0; n = 0; tries = 0 }
	od;
	/* register: Dekker against the trip */
	if
#ifdef BUG_NO_RECHECK
	:: pending = pending | bitOf(i)
#else
	:: d_step { !tripped -> pending = pending | bitOf(i) }
	:: tripped -> unregister(k, last, sp, n); goto done
#endif
	fi;
	if
	:: true -> goto done /* keeps it */
	:: true -> unregister(k, last, sp, n)
	fi;
	round++;
	if
	:: round < ROUNDS -> goto again
	:: else
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
		sweeping = at[n];
		if
		:: sweeping != NONE ->
			do
			:: k < SLOTS ->
				d_step {
					r = slotOf(sweeping, k);
					if
					:: r != 0 -> slotOf(sweeping, k) = 0; pending = pending & ~bitOf(r - 1)
					:: else
					fi;
					r = 0;
					k++
				}
			:: else -> break
			od
		:: else
		fi;
		atomic { n++; k = 0; sweeping = NONE }
	:: else -> break
	od;
	atomic { n = 0; finished++ };
end:	false
}

/* In every state: a block with a registration in it stands in the directory, where a sweep will find it. */
#define astray(b, k) (slotOf(b, k) != 0 && at[numberOf(b)] != b)
#if SLOTS == 1
#define strayIn(b) astray(b, 0)
#define occupied(b) (slotOf(b, 0) != 0)
#else
#define occupied(b) ((slotOf(b, 0) != 0) + (slotOf(b, 1) != 0))
#define strayIn(b) (astray(b, 0) || astray(b, 1))
#endif
#define strayAmong(g) (strayIn((g) * NUMBERS) || strayIn((g) * NUMBERS + 1))
proctype Watchdog()
{
end:	d_step { strayAmong(0) || strayAmong(1) || strayAmong(2) -> assert(false) }
}

proctype Final()
{
	byte n;

	atomic {
		finished == S + TRIP;
		assert(!tripped || pending == 0); /* promise 6: none is lost */
		do
		:: n < NUMBERS ->
			/*
			 * The counts are right, and what is empty and not wanted any more has been given up. (After a trip, neither
			 * matters: whoever is swept isn't counted down.)
			 */
			if
			:: !tripped && at[n] != NONE -> assert(live[at[n]] == occupied(at[n]) && (n < span || live[at[n]] != 0))
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
		for (i : 0 .. BLOCKS - 1) { live[i] = GIVENUP }
		for (i : 0 .. S - 1) {
			mine[i] = NONE;
			other[i] = NONE;
			run Subscriber(i)
		}
		sweeping = NONE;
#if TRIP
		run Tripper();
#endif
		run Watchdog();
		run Final();
		i = 0
	};
end:	false
}

/* Every registering, stopping and sweeping ends. */
ltl ends { <> (finished == S + TRIP) }
