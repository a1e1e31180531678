"""Data management systems (DDM): the interface, the built-in one, and those elsewhere.

contract.py is what is asked of one, builtin.py ours, choice.py which VO has which. sync.py tells
one elsewhere what is wished for; news.py records what it answers; outbox.py tells others of ours.
"""
