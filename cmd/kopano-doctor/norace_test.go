//go:build !race

package main

// raceDetector says that every step takes many times as long.
const raceDetector = false
