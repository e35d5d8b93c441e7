package main

import (
	"fmt"
	"strings"
	"time"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

func newChoice[T ~string](words []T) *choice {
	c := &choice{value: string(words[0])}
	for _, w := range words {
		c.words = append(c.words, string(w))
	}
	return c
}

// Set takes the word of the command line.
func (c *choice) Set(s string) error {
	for _, w := range c.words {
		if s == w {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("choose one of %s", strings.Join(c.words, ", "))
}

// String gives the word.
func (c *choice) String() string {
	if c == nil {
		return ""
	}
	return c.value
}

// Get gives the word, for cli.Context.Value.
func (c *choice) Get() any { return c.String() }

// span is a flag that takes a length of time.
type span struct{ value time.Duration }

// Set takes a time with a unit, as time.ParseDuration reads it; it must be more than nothing.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("write a number with its unit, for example 5s or 2m")
	}
	if d <= 0 {
		return fmt.Errorf("it must be more than 0")
	}
	s.value = d
	return nil
}

// String gives the time, with its unit.
func (s *span) String() string {
	if s == nil {
		return ""
	}
	text := s.value.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// Get gives the time as it would be written, for cli.Context.Value.
func (s *span) Get() any { return s.String() }
