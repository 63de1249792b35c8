// A clock, and the sum of the numbers it is given.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8085"
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	http.HandleFunc("/now", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]string{"now": time.Now().UTC().Format(time.RFC3339)})
	})
	http.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		var numbers []int
		if err := json.NewDecoder(r.Body).Decode(&numbers); err != nil {
			http.Error(w, "expected a list of numbers", http.StatusBadRequest)
			return
		}
		sum := 0
		for _, number := range numbers {
			sum += number
		}
		answer(w, map[string]int{"sum": sum})
	})
	log.Printf("listening on %s", port)
	log.Fatal(http.ListenAndServe(":"+port, nil))
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}
