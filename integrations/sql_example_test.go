package integrations_test

import (
	"errors"
	"fmt"
	"sync"

	"github.com/kamilsk/breaker"
)

// A query that would never end, on a database in this process.
func Example_sql() {
	db, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	br := breaker.New()
	defer br.Close()
	trip := sync.OnceFunc(func() { go br.Trip(errors.New("the user has left")) })
	onBegun.Store(&trip)

	_, err = db.ExecContext(breaker.ToContext(br), endless)
	fmt.Printf("%v, because: %v\n", err, br.Cause())
	// Output: context canceled, because: the user has left
}
