"""The console: pages for people, served by the gateway. They work without JavaScript; docs/console.md tells of them."""
