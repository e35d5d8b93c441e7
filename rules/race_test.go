//go:build race

package rules_test

// raceDetector says that every step takes many times as long.
const raceDetector = true
