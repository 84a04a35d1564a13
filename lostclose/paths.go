package lostclose

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/cfg"
)

// loss is where a path loses the breaker.
type loss struct {
	pos         token.Pos
	overwritten bool // by another value; else the function returns
	again       bool // by the very statement that made it
	atEnd       bool // returns without a return statement
}

// search looks for a path that loses one breaker.
type search struct {
	uses   *uses
	named  bool // the variable that holds it is a result of the function
	inMain bool // the process ends with the function

	made    token.Pos
	visited map[step]bool
	entered map[*cfg.Block]bool // loops that run at least once, and have begun to
}

// step is a block that a path comes to. The failure that was made with the breaker is stale if its
// variable has another value.
type step struct {
	block *cfg.Block
	stale bool
}

// from searches from the call that makes the breaker, and returns the first loss found, or nil. If
// the statement with the call isn't included, what it does is about what the variable held before.
func (s *search) from(g *cfg.CFG, made token.Pos, included bool) *loss {
	s.made = made
	s.visited = map[step]bool{}
	s.entered = map[*cfg.Block]bool{}
	for _, b := range g.Blocks {
		if !b.Live {
			continue
		}
		for i, n := range b.Nodes {
			if !within(n, made) {
				continue
			}
			if !included {
				i++
			}
			return s.rest(b, i, false)
		}
	}
	return nil // unreachable code
}

// rest searches from the n-th node of a block on.
func (s *search) rest(b *cfg.Block, n int, stale bool) *loss {
	for _, node := range b.Nodes[n:] {
		if s.uses.endsIn(node) {
			return nil
		}
		if s.uses.setsIn(node) {
			return &loss{pos: node.Pos(), overwritten: true, again: within(node, s.made)}
		}
		stale = stale || s.uses.failsIn(node)
		if ret, ok := node.(*ast.ReturnStmt); ok {
			if s.inMain || s.named && ret.Results == nil {
				return nil
			}
			return &loss{pos: ret.Pos(), atEnd: s.uses.isEnd(ret)}
		}
	}
	successors := b.Succs
	if s.enters(b) {
		s.visited[step{b, stale}] = false // the loop comes back to it
		successors = b.Succs[:1]
	}
	for i, next := range successors {
		if s.visited[step{next, stale}] || s.endsOn(b, i, stale) {
			continue
		}
		s.visited[step{next, stale}] = true
		if l := s.rest(next, 0, stale); l != nil {
			return l
		}
	}
	return nil
}

// endsOn reports whether the breaker has tripped, or can't be, if the block goes on with its i-th
// successor.
func (s *search) endsOn(b *cfg.Block, i int, stale bool) bool {
	next := b.Succs[i]
	if clause, ok := next.Stmt.(*ast.CommClause); ok && next.Kind == cfg.KindSelectCaseBody && s.uses.clauses[clause] {
		return true
	}
	if len(b.Succs) != 2 || len(b.Nodes) == 0 {
		return false
	}
	condition, ok := b.Nodes[len(b.Nodes)-1].(ast.Expr)
	if !ok {
		return false
	}
	switch b.Succs[0].Kind {
	case cfg.KindIfThen, cfg.KindForBody:
	case cfg.KindSwitchCaseBody:
		if !s.uses.isTagless(b.Succs[0].Stmt) {
			return false
		}
	default:
		return false
	}
	return s.uses.excludes(condition, i == 0, stale)
}

// enters reports whether the block is the head of a loop that is going to run for the first time,
// and certainly does.
func (s *search) enters(b *cfg.Block) bool {
	loop, ok := b.Stmt.(*ast.RangeStmt)
	if !ok || b.Kind != cfg.KindRangeLoop || s.entered[b] || within(loop, s.made) || !s.uses.runs(loop.X) {
		return false
	}
	s.entered[b] = true
	return true
}
