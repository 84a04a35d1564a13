/*
 * The trip: the state word, Done made lazily, Err, OnTrip, stop.
 * Models state.go, once_close.go, register of breaker.go, Put, Take and the sweep of internal/registry with the first
 * slot and the base, and settle.go for a breaker without sources of its own. README.md says which lines stand for which.
 *
 * Every step below is one atomic operation of Go, but for three merges that lose no behavior:
 *
 *   - A loop of load and compare-and-swap is its one successful round: a failed round has only read.
 *   - On a slot, a load that finds another, and a swap that fails, both mean "go on": so load and swap are one.
 *   - What is private to a goroutine, or only recorded for a property, goes with the step before it.
 *
 * A process that has ended stays where it is; that saves the steps in which Spin takes processes away.
 */

#ifndef T
#define T 2 /* goroutines that call Trip or Close */
#endif
#ifndef S
#define S 3 /* goroutines that call OnTrip, and then perhaps stop */
#endif
#ifndef O
#define O 0 /* goroutines that call Err */
#endif
#ifndef W
#define W 0 /* goroutines that call Done */
#endif
#ifndef R
#define R 0 /* goroutines that derive from the context view, by way of a relay */
#endif
#ifndef X
#define X 0 /* goroutines that call the stop of subscriber 0 at any time */
#endif

/* The word, as in state.go. */
#define OPEN 0
#define CLAIMED 1
#define TRIPPED 2
#define CLOSED 3
#define PHASE 3
#define SETTLED 2
#define DONE 4 /* flagDone */
#define HELD 8 /* flagHeld */
#define RELAY 16 /* flagRelay */
byte word;

/*
 * onceClose.c: nil, a channel that was made open, or one that was made closed. Open ones come in only for nil, closed ones
 * only for what isn't closed, and nothing makes it nil again: so there is never a second one of a kind, and what
 * lost its compare-and-swap is seen by nobody.
 */
#define MADE 1
#define BORN 2
byte field;
bit shut; /* MADE has been closed */
#define isClosed (field == BORN || field == MADE && shut)

byte cause; /* 0 is a plain close's nil */

/* slot[0] is Registry.first. Whoever finds it taken goes to the base, and each registers once: S-1 places do. */
#if S > 1
#define BASE (S - 1)
#else
#define BASE 1
#endif
byte slot[BASE + 1];
bit base;  /* Registry.base != nil */

/* What the properties look at. Nothing below decides anything in the algorithm. */
bit won;       /* somebody's call returned true, or will */
byte wcause;   /* the winner's cause */
byte pending;  /* subscribers whose OnTrip has returned, and whose callback neither ran nor was stopped */
byte over;     /* those whose callback ran, or was stopped */
byte returned; /* trippers that have returned */
bit relayed;   /* somebody got the relay of a breaker that was open */
bit ended;     /* the winner has seen that there is a relay: it tells it the cause, and ends it later */
bit handed;    /* flagDone has been set */
byte finished;
byte begun;    /* subscribers that have begun */
byte tripping; /* trippers that have */
#define ALL (T + S + O + W + R + X)
#define bitOf(i) (1 << (i))

/* Done is closed, or would be born closed if anyone asked for it now. */
#define DoneClosed ((word & DONE) -> isClosed : (word & SETTLED) != 0)

/*
 * Breaker.shareDone, with onceClose.get, open and openClosed, up to the moment when the word has flagDone. From then on the
 * field is never written again, which is asserted where it is written: so Done is always the same channel,
 * and whoever has it may look at the field for it.
 *
 * In the second branch the word is loaded, then the channel is made, then the swap fails if the word has changed. If it
 * has changed without getting flagDone or a settled phase, the next round finds the same channel and tries again;
 * so what decides is only whether one of those has come.
 */
#ifdef BUG_KEEP_UNSEEN /* openClosed returns what it finds, closed or not */
#define found (field != 0)
#else
#define found isClosed
#endif
#ifdef BUG_HANDOUT_BY_STORE /* flagDone is set even if the breaker has been settled meanwhile */
#define unchanged true
#else
#define unchanged ((word & (DONE | SETTLED)) == 0)
#endif
#define handOutStep(c) \
	:: d_step { /* openClosed */ \
		(word & (DONE | SETTLED)) == SETTLED -> \
		if \
		:: found \
		:: else -> assert(!(word & DONE)); field = BORN \
		fi \
	}; \
	d_step { word = word | DONE; handed = 1 } \
	:: (word & (DONE | SETTLED)) == 0 -> \
		d_step { /* open */ \
			if \
			:: field != 0 \
			:: else -> assert(!(word & DONE)); field = MADE \
			fi; \
			c = field \
		}; \
		if \
		:: d_step { unchanged -> word = word | DONE; handed = 1; assert(c == field); c = 0 } \
		:: d_step { !unchanged -> c = 0 } \
		fi

inline shareDone(c)
{
	do
	:: (word & DONE) -> break
	handOutStep(c)
	od
}

/*
 * Breaker.awaitDone, and what the caller does next. When it has looked at the channel of a claimed word, so will the wait;
 * that look is left out. A wait that is over stays over, so that it goes with the load that led to it.
 */
#define awaitDone(c, next) \
	if \
	:: d_step { (word & SETTLED) -> next } \
	:: !(word & SETTLED) -> \
		do \
		:: d_step { (word & DONE) && isClosed -> next }; break \
		handOutStep(c) \
		od \
	fi

/*
 * Breaker.Err, err and hasTripped: what the word says, or what the channel says if the word is claimed|flagDone. Promise
 * 2, as every goroutine may check it: non-nil only if Done is closed when it returns, nil only if Done was open
 * when it was called. Promise 4: the cause is there with it.
 */
#if defined(BUG_ERR_EARLY) /* Err reads the claim (golang/go#75533) */
#define byWord ((word & PHASE) != OPEN)
#define byChannel false
#elif defined(BUG_FLAG_AFTER_CLOSE) /* Err reads what is stored after the close (D3) */
#define byWord ((word & SETTLED) != 0)
#define byChannel false
#else
#define byWord ((word & SETTLED) != 0)
#define byChannel ((word & (PHASE | DONE)) == (CLAIMED | DONE))
#endif

inline callErr(failed, closedBefore)
{
	closedBefore = DoneClosed;
	if
	:: d_step { byWord -> failed = 1; assert(DoneClosed && cause == wcause) }
	:: d_step { !byWord && !byChannel -> failed = 0; assert(!closedBefore) }
	:: !byWord && byChannel ->
		d_step {
			failed = isClosed;
			assert(!failed || (DoneClosed && cause == wcause));
			assert(failed || !closedBefore)
		}
	fi
}

/*
 * The same for all calls of Err, in every state, without a process for each: the channel stays closed, so that a call
 * that looks at the word, then at it, answers what one at that later moment would. The guard is never true.
 */
proctype Watchdog()
{
end:	d_step {
		(byWord || byChannel && isClosed) != DoneClosed || DoneClosed && cause != wcause || handed && !(word & DONE) ->
		assert(!handed || (word & DONE)); /* a channel handed out has been forgotten */
		assert(byWord || byChannel && isClosed || !DoneClosed); /* Done is closed, and Err nil */
		assert(DoneClosed); /* Err is non-nil, and Done open */
		assert(cause == wcause)
	}
}

/* A callback starts: promise 6 (once, Done closed, the cause there), promise 7 (not if stopped). */
inline runCallback(i)
{
	assert(!(over & bitOf(i)));
	assert(DoneClosed);
	assert(cause == wcause);
	over = over | bitOf(i);
	pending = pending & ~bitOf(i)
}

/* handle.stop has returned true: once, and the callback has not started. */
inline hasStopped(i)
{
	assert(!(over & bitOf(i)));
	over = over | bitOf(i);
	pending = pending & ~bitOf(i)
}

/* Breaker.claim. A plain close may go further than claimed in the same step. */
inline claim(i, plain, mine)
{
	if
#ifdef BUG_CLAIM_BY_STORE
	:: (word & PHASE) != OPEN -> mine = 0
	:: (word & PHASE) == OPEN -> d_step { word = word | CLAIMED; assert(!won); won = 1; mine = 1; wcause = i + 1 }
#else
	:: d_step { tripping == i && (word & PHASE) != OPEN -> tripping++ }
	:: atomic {
			tripping == i && (word & PHASE) == OPEN ->
			tripping++;
			assert(!won); /* promise 1 */
			won = 1;
			mine = 1;
			if
			:: plain = 1; wcause = 0 /* Close */
			:: plain = 0; wcause = i + 1 /* Trip */
			fi;
			if
#ifdef BUG_SHORTCUT_WITH_CAUSE /* settles before the cause is stored */
			:: !(word & (DONE | HELD)) -> word = word | CLOSED
			:: !(word & DONE) && (word & HELD) -> word = word | TRIPPED
#else
			:: plain && !(word & (DONE | HELD)) -> word = word | CLOSED
			:: plain && !(word & DONE) && (word & HELD) -> word = word | TRIPPED
#endif
			:: else -> word = word | CLAIMED
			fi
		}
#endif
	fi
}

/* Breaker.closeDone. */
inline closeDone()
{
#if R > 0
	if /* what the claim has left, which may be looked at later: from then on nobody sets it */
	:: (word & RELAY) -> assert(base); ended = 1
	:: !(word & RELAY)
	fi;
#endif
	d_step {
		assert(field == MADE && !shut); /* promise 1: there is one, and it is closed once */
		shut = 1
	}
}

/* Breaker.publish */
inline publish(w)
{
	if
	:: (word & SETTLED)
	:: (word & (SETTLED | DONE)) == DONE ->
#ifdef BUG_NOT_CLOSED
		skip
#else
		closeDone()
#endif
#ifdef BUG_BLIND_PUBLISH /* a store overwrites the flagDone that came in between */
	:: d_step { (word & (SETTLED | DONE)) == 0 -> w = word };
		d_step { word = (w & ~PHASE) | ((w & HELD) -> TRIPPED : CLOSED); w = 0 }
#else
	:: d_step { (word & (SETTLED | DONE)) == 0 -> word = (word & ~PHASE) | ((word & HELD) -> TRIPPED : CLOSED) }
#endif
	fi
}

/* One slot of sweep.next, and the call. */
inline take(k, r)
{
#ifdef BUG_SWEEP_BY_STORE
	r = slot[k];
	d_step {
		slot[k] = 0;
#else
	d_step {
		r = slot[k];
		slot[k] = 0;
#endif
		if
		:: r != 0 -> runCallback(r - 1)
		:: else
		fi;
		r = 0
	}
}

/*
 * Breaker.settle and runCallbacks, but for the last store of the phase closed. Only the winner, which is here, moves
 * the phase now, and flagHeld doesn't change any more: what settle does after the claim follows from
 * what the winner has done itself, and takes no step. The isEmpty in runCallbacks is left out: if it is true, the
 * sweep sees the same two nils.
 */
inline settle(k, r)
{
	if
	:: (word & PHASE) == TRIPPED
	:: (word & PHASE) == CLAIMED ->
		/* isEmpty: two loads */
		if
		:: slot[0] != 0 -> word = (word & ~PHASE) | TRIPPED
		:: slot[0] == 0 ->
			if
			:: base -> word = (word & ~PHASE) | TRIPPED
			:: !base
			fi
		fi
	fi;
	take(0, r);
	if
	:: base ->
		k = 1;
		do
		:: k <= BASE -> take(k, r); k++
		:: else -> break
		od;
		k = 0
	:: !base
	fi
}

inline tripReturns(i)
{
	assert(DoneClosed); /* promise 3 */
	returned = returned | bitOf(i);
	finished++
}

/*
 * Trip or Close. Which of both makes a difference only to the winner. Like subscribers, they begin in the order of
 * their numbers; and whoever is the first to decide his claim wins it.
 */
proctype Tripper(byte i)
{
	bit mine, plain;
	byte c, k, r;

	claim(i, plain, mine);
	if
	:: mine ->
#ifdef BUG_CAUSE_LATE
		publish(c);
#endif
		if
		:: !plain -> cause = i + 1
		:: plain
		fi;
#ifndef BUG_CAUSE_LATE
		publish(c);
#endif
		if
		:: (word & HELD) && (word & PHASE) != CLOSED -> settle(k, r); r = 1 /* and it releases the source */
		:: !(word & HELD) || (word & PHASE) == CLOSED
		fi;
		atomic {
			assert(r == ((word & HELD) != 0)); /* nothing is left behind that flagHeld stands for */
			mine = 0;
			plain = 0;
			r = 0;
#ifndef BUG_NEVER_CLOSED
			word = word | CLOSED;
#endif
			assert(pending == 0); /* Trip has returned true: the callbacks have run */
			tripReturns(i)
		}
	:: !mine ->
#ifdef BUG_LOSER_LEAVES
		d_step { tripReturns(i) }
#else
		awaitDone(c, tripReturns(i))
#endif
	fi;
end:	false
}

/* A registration lies in one slot at most, so unregister is told by it which one. */
inline unregister(i, k)
{
	k = 0;
	do
	:: slot[k] == i + 1 -> slot[k] = 0; break
	:: slot[k] != i + 1 -> k++
	od;
	k = 0
}
#if S == 1
#define holds(i) (slot[0] == i + 1 || slot[1] == i + 1)
#elif S == 2
#define holds(i) (slot[0] == i + 1 || slot[1] == i + 1)
#elif S == 3
#define holds(i) (slot[0] == i + 1 || slot[1] == i + 1 || slot[2] == i + 1)
#elif S == 4
#define holds(i) (slot[0] == i + 1 || slot[1] == i + 1 || slot[2] == i + 1 || slot[3] == i + 1)
#endif

inline ends(i)
{
	ok = 0;
	finished++
}

inline lateCallback(i)
{
	runCallback(i);
	ends(i)
}

/* OnTrip, and perhaps stop */
proctype Subscriber(byte i)
{
	bit ok, seen;
	byte c, k;

	/*
	 * register. Subscribers differ in nothing but their numbers, and no property tells them apart. So it is enough to
	 * look at the runs in which they begin in the order of their numbers.
	 */
	if
	:: d_step { begun == i && (word & PHASE) != OPEN -> begun++ }
#ifdef BUG_NOT_HELD
	:: d_step { begun == i && (word & PHASE) == OPEN -> begun++; ok = 1; seen = base }
#else
	:: d_step { begun == i && (word & PHASE) == OPEN -> begun++; word = word | HELD; ok = 1; seen = base }
#endif
	fi;
	if
	:: ok ->
		/*
		 * Registry.Put. The base, once there, stays: to have seen that there is none means that there was none at the
		 * beginning, and to see one goes with the claim in it. There, a search begins anywhere and goes on as long as it
		 * finds slots taken, which is the same as to begin at the one that it will find free.
		 */
		do
		:: d_step { !seen && slot[0] == 0 -> slot[0] = i + 1 }; break
		:: d_step { !seen && slot[0] != 0 -> base = 1; seen = 1 } /* Registry.more: an empty base is like none */
		:: atomic {
				base ->
				k = 1;
				do
				:: k < BASE -> k++
				:: slot[k] == 0 -> slot[k] = i + 1; break
				od;
				seen = 0;
				k = 0
			};
			break
		od;
		/* Dekker: the slot is written, now the state is read. */
		if
#ifdef BUG_NO_RECHECK
		:: d_step { pending = pending | bitOf(i); ends(i) }; goto end
#else
		:: d_step { (word & PHASE) == OPEN -> pending = pending | bitOf(i); ends(i) }; goto end /* it keeps the registration */
		:: d_step { (word & PHASE) == OPEN -> pending = pending | bitOf(i) }; /* it stops */
			if
			:: d_step { holds(i) ->
#ifndef BUG_STOP_BY_STORE /* a load and a store where a compare-and-swap must decide */
				unregister(i, k);
				hasStopped(i);
				ends(i)
#endif
				}
			:: d_step { !holds(i) -> ends(i) }
			fi;
#ifdef BUG_STOP_BY_STORE
			d_step { hasStopped(i); ends(i) };
#endif
			goto end
		:: (word & PHASE) != OPEN ->
			if
			:: d_step { holds(i) -> unregister(i, k); ok = 0 } /* taken back: late */
			:: d_step { !holds(i) -> ends(i) }; goto end
			fi
#endif
		fi
	:: !ok
	fi;
	/* late */
#ifdef BUG_NO_AWAIT /* the claimed window: the callback runs while Done is open */
	d_step { lateCallback(i) };
#else
	awaitDone(c, lateCallback(i));
#endif
end:	false
}

/* Somebody else has the stop of a subscriber, too: he gets it when OnTrip returns. He may leave it unused. */
proctype Stopper()
{
	byte i, k;

	if
	:: finished++
	:: atomic {
			pending != 0 ->
			do
			:: i < S - 1 && (pending >> (i + 1)) != 0 -> i++
			:: (pending & bitOf(i)) -> break
			od
		};
		if
		:: d_step { holds(i) -> unregister(i, k); hasStopped(i); finished++; i = 0 }
		:: d_step { !holds(i) -> finished++; i = 0 }
		fi
	fi;
end:	false
}

proctype Observer()
{
	bit e, was;

	callErr(e, was);
	d_step { e = 0; was = 0; finished++ };
end:	false
}

/* Who calls Done on an open breaker. What he does with the channel, Watchdog and Final look at. */
proctype Waiter()
{
	byte c;

	shareDone(c);
	finished++;
end:	false
}

/* Breaker.relayTo */
proctype Deriver()
{
	byte c;

	shareDone(c);
	base = 1;
#ifdef BUG_RELAY_NO_RECHECK
	d_step { word = word | RELAY | HELD; relayed = 1; finished++ };
#else
	if
	:: d_step { (word & PHASE) == OPEN -> word = word | RELAY | HELD; relayed = 1; finished++ }
	:: d_step { (word & PHASE) != OPEN -> finished++ }
	fi;
#endif
end:	false
}

/* When all have returned. */
proctype Final()
{
	d_step {
		finished == ALL ->
		assert(won);
		assert((word & PHASE) == CLOSED);
		assert(DoneClosed);
		assert(pending == 0 && over == (1 << S) - 1); /* promise 6: none is lost */
		assert(!relayed || ended)
	};
end:	false
}

init
{
	byte i;

	atomic {
		if /* there is a source, such as a timer, or none */
		:: word = HELD
		:: skip
		fi;
		if /* Done has been called before, or not */
		:: word = word | DONE; handed = 1; field = MADE
		:: skip
		fi;
		for (i : 0 .. T - 1) { run Tripper(i) }
#if S > 0
		for (i : 0 .. S - 1) { run Subscriber(i) }
#endif
#if O > 0
		for (i : 1 .. O) { run Observer() }
#endif
#if W > 0
		for (i : 1 .. W) { run Waiter() }
#endif
#if R > 0
		for (i : 1 .. R) { run Deriver() }
#endif
#if X > 0
		for (i : 1 .. X) { run Stopper() }
#endif
		run Watchdog();
		run Final();
		i = 0
	};
end:	false
}

#define isTripped ((word & PHASE) != OPEN)
#define served (pending == 0)

/* Registered, tripped and not stopped: runs. All three only grow, so that one moment serves all subscribers. */
ltl runs { [] (isTripped -> <> served) }
/* Every Trip and Close returns, also those that lose. */
ltl returns { <> (returned == (1 << T) - 1) }
/* What has been tripped is closed in the end. */
ltl closes { [] (isTripped -> <> ((word & PHASE) == CLOSED)) }
