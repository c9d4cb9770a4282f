"""What every client scenario needs: a broker to talk to, a registry of scenarios, a wire client of our own."""
